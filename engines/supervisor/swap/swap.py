"""A swap from one engine to another on the same address, with a way back from every step.

`overlap`     the new engine starts beside the old one, is verified, takes over; the old one ends
`stop-start`  the old one stops taking, finishes and ends; the new one starts, is verified, takes
              over; clients wait in the queue meanwhile

Whatever fails, the old engine serves on: in an overlap it never stopped, else it is started again
with its own command. `Swap.run` gives the engine in force afterwards.

The way back to what served before is the emergency exit: it is healthy or it is not, and neither
checking its arguments nor measuring its quality comes before that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from socket import socket
from typing import Any, Literal

from engines.cleaning.redact import redact_arguments
from engines.control.knobs import read_knobs
from engines.discovery.find import probe
from engines.host import lifetime
from engines.host.priority import give_way
from engines.launch.launch import Launch
from engines.launch.spawn import spawn
from engines.quality.asking import Asker, over_socket
from engines.quality.scoring import Scores
from engines.serving import names
from engines.serving.causes import exception_in
from engines.serving.progress import STALLED_S
from engines.serving.start_watch import Phase
from engines.serving.started import Started
from engines.serving.stopping import WillNotGo
from engines.supervisor.common.telling import begun, start_key, tell_start
from engines.supervisor.swap.candidate import (
    Candidate,
    as_candidate,
    launch_of,
    variant_of,
)
from engines.supervisor.swap.checking import check_arguments, differs
from engines.supervisor.swap.evidence import evidence_of
from engines.supervisor.swap.live_values import carry_over
from engines.supervisor.swap.verify import scores_before, verify
from engines.supervisor_client.swap_order import Order
from engines.variants.checkpoint.files import model_place
from engines.variants.checkpoint.weights import read_weights
from engines.variants.estimates import estimate
from engines.variants.strategy import Strategy, strategy_for
from store.errors import NotAchieved, TrimtabError
from store.records import KnobState
from store.reports.engine_evidence import EngineEvidence
from store.reports.outcomes import DONE
from store.reports.step_line import StepLine
from store.reports.swap import ROLLED_BACK, StartReport, SwapEvidence, SwapReport


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a swap has of its supervisor: the address, somebody to tell each line to, the way to
    ask whether it is to go on, and what to call when the new engine has taken over: from then on
    it has the old one's name, and the old one another."""

    listener: socket
    tell: Callable[[SwapReport, str], None]
    interrupted: Callable[[], Literal["", "stop", "call off"]]
    taken_over: Callable[[Launch, Started, float], None]


class _ToStop(Exception):
    """Nobody waits for the engine any more."""


class Swap:
    """One swap; `report` tells of it, also while it runs.

    It goes back to `before`, if that is given, instead of to the variant of the order.
    """

    def __init__(
        self,
        order: Order,
        running: tuple[Launch, Started],
        wiring: Wiring,
        *,
        before: Launch | None = None,
    ) -> None:
        self.order = order
        self._launch, engine = running
        self._goes_back = before is not None
        if before is not None:
            self._variant, self._target = variant_of(before), before
        else:
            assert order.variant is not None
            self._variant = order.variant
            self._target = launch_of(self._launch, order.variant)
        self._old = Candidate(engine)
        self._wiring = wiring
        self._began = time.monotonic()
        self._closed_at: float | None = None
        self._failure = ""
        self._differs: bool | None = None
        self.report = begun(order, self._variant.name)

    def run(self) -> Started:
        """Do it, or leave things as they were. `close` is to follow, once all is settled."""
        try:
            return self._swap()
        except TrimtabError as error:
            self._failure = _words(error)
            return self._old.started

    def close(self) -> None:
        """Tell how it ended: whoever follows it may act on the engine from then on."""
        outcome = ROLLED_BACK if self._failure else DONE
        self._note(outcome=outcome, reason=self._failure, took_s=self.elapsed_s)
        self._say(outcome, self._failure or f"{self._variant.name} serves")

    def _swap(self) -> Started:
        strategy = self._strategy()
        self._note(strategy=strategy)
        launch = as_candidate(
            self._target, self._launch, self._old.started.log_path, beside=strategy == "overlap"
        )
        old_evidence = evidence_of(
            self._launch.arguments, self._old.started.log_path, self._directory
        )
        before = None if self._goes_back else self._checked()
        knobs = self._knobs()
        self._go_on()
        try:
            if strategy == "stop-start":
                self._stop_old()
            new = self._start(launch, beside=strategy == "overlap")
            try:
                if self._goes_back:
                    self._note(evidence=SwapEvidence(old_evidence, self._shown(new, launch), None))
                else:
                    self._verify(new, launch, old_evidence, before)
                # What was set while the new engine started counts as well, as far as it is told.
                carry_over(
                    self._knobs_now() or knobs,
                    new.knob_sockets(),
                    self.order.who or "swap",
                    lambda text: self._say("take over", text),
                )
                self._go_on()
                self._take_over(new, launch)
            except TrimtabError:
                self._say("roll back", f"ending process {new.started.pid}")
                self._end(new, 0)
                raise
        except TrimtabError as failure:
            self._go_back(strategy, failure)
            raise
        name = self._launch.name
        running = replace(new.started, name=name)
        self._wiring.taken_over(replace(launch, name=name), running, self.elapsed_s)
        if strategy == "overlap":
            self._let_go_of_old(name)
        return running

    def _let_go_of_old(self, name: str) -> None:
        """End the old engine, its requests first. A stop does not wait for them: it ends what is
        left of either engine, each within the time that was given to it."""
        self._say("drain", f"process {self._old.started.pid} finishes what it has")
        leaving = Candidate(replace(self._old.started, name=names.leaving_name(name)))

        def heed_stop(_: str) -> None:
            if self._wiring.interrupted() == "stop":
                raise _ToStop

        try:
            self._end(leaving, self.order.drain_s, heed_stop)
        except _ToStop:
            self._say("drain", "the engine is to stop, and what still runs with it")

    def _checked(self) -> Scores | None:
        """What the old engine makes of the texts, once vLLM has taken arguments that change
        something."""
        self._say("check", "asking vLLM whether it takes the arguments")
        answer = check_arguments(self._target, self._launch, self._go_on)
        if not self.order.keep:
            self._differs = differs(answer, self._target, self._launch, self._old.started)
        self._say("measure", "the old engine's quality")
        return scores_before(self._ask(self._old), self.order, self._launch.model)

    def _shown(self, new: Candidate, launch: Launch) -> EngineEvidence:
        return evidence_of(launch.arguments, new.started.log_path, self._directory)

    def _strategy(self) -> Strategy:
        """How to swap; raises `NotAchieved` for a model that is not there or does not fit."""
        variant = self._variant
        words = " ".join((variant.model, *redact_arguments(variant.arguments)))
        self._say("plan", f"{'back ' if self._goes_back else ''}to {variant.name}: {words}")
        weights = read_weights(model_place(variant.model, self._directory))
        if weights.problem:
            raise NotAchieved(f"{variant.model} cannot be served", weights.problem)
        try:
            estimated = estimate(variant, probe(self._launch.url), weights=weights)
        except TrimtabError:
            if not self._goes_back:
                raise
            # One that answers nobody is what people go back from; it ends first.
            return "stop-start" if self.order.strategy == "auto" else self.order.strategy
        if estimated.verdict == "does not fit":
            raise NotAchieved("it does not fit", estimated.reason)
        if self.order.strategy != "auto":
            return self.order.strategy
        return strategy_for(estimated)

    def _knobs(self) -> list[KnobState]:
        """The live values to carry over; none where one goes back from an engine that does not
        tell them."""
        try:
            return read_knobs(self._old.knob_sockets())
        except TrimtabError as error:
            if not self._goes_back:
                raise
            self._say("plan", f"no live value is carried over: {error.what}")
            return []

    def _knobs_now(self) -> list[KnobState]:
        """The live values of the old engine while it serves; none once it has ended."""
        old = self._old.started
        if not lifetime.is_alive(old.pid, old.start_ticks):
            return []
        try:
            return read_knobs(self._old.knob_sockets())
        except TrimtabError:
            return []

    def _end(
        self, engine: Candidate, drain_s: float, on_wait: Callable[[str], None] | None = None
    ) -> None:
        """End one that no longer counts; one that will not go is told of, and stops nothing."""
        try:
            engine.end(drain_s, on_wait)
        except WillNotGo as error:
            self._say("end", _words(error))

    def _stop_old(self) -> None:
        self._say("drain", f"process {self._old.started.pid} finishes what it has; others wait")
        self._closed_at = time.monotonic()
        self._old.end(self.order.drain_s)

    def _start(self, launch: Launch, *, beside: bool) -> Candidate:
        new = Candidate(spawn(launch, self._wiring.listener, held=True, swap_id=self.order.id))
        model, command = start_key(launch)
        start = StartReport(model, command, beside, self.elapsed_s)
        self._note(start=start)
        self._say("start", f"process {new.started.pid}")

        def report(phase: Phase) -> None:
            nonlocal start
            self._go_on()
            if phase.reached != start.phases:
                start = replace(start, phases=phase.reached)
                self._note(start=start)
                self._say("start", phase.text)

        try:
            times = new.wait_healthy(self.order.start_s, report, stalled_s=STALLED_S)
        except TrimtabError:
            self._end(new, 0)
            raise
        tell_start(self.order.db, launch, times, beside=beside)
        return new

    def _verify(
        self, new: Candidate, launch: Launch, old: EngineEvidence, before: Scores | None
    ) -> None:
        self._say("verify", "it answers; what changed, and is it as good")
        try:
            evidence = verify(
                self._ask(new),
                self.order,
                self._launch.model,
                old=old,
                new=self._shown(new, launch),
                before=before,
                differs=self._differs,
            )
        except NotAchieved as error:
            cause = exception_in(new.started.log_path)
            if cause:
                meaning = f"{error.meaning}: {cause} (see {new.started.log_path})"
                raise NotAchieved(error.what, meaning) from None
            raise
        self._note(evidence=evidence)
        quality, refusal = evidence.quality, evidence.refused
        assert quality is not None
        self._say("verify", f"quality {quality.outcome}: {'; '.join(quality.reasons) or 'as good'}")
        if not refusal:
            return
        if self.order.keep:
            self._say("verify", f"kept all the same, as asked: {refusal}")
        else:
            raise NotAchieved(refusal)

    def _take_over(self, new: Candidate, launch: Launch) -> None:
        self._say("take over", f"process {new.started.pid} takes connections")
        new.front.open()
        if launch.gives_way:
            give_way(new.started.pid)
        self._opened()

    def _go_back(self, strategy: Strategy, failure: TrimtabError) -> None:
        """Raises `NotAchieved` with both reasons where the old engine does not serve again."""
        try:
            self._restore(strategy)
        except TrimtabError as error:
            reason = f"and the engine before it does not serve again yet: {_words(error)}"
            raise NotAchieved(_words(failure), reason) from None

    def _restore(self, strategy: Strategy) -> None:
        """Let the old engine serve as before."""
        old = self._old.started
        if strategy == "overlap" or lifetime.is_alive(old.pid, old.start_ticks):
            self._old.front.open()
            self._opened()
            return
        if self._wiring.interrupted() == "stop":
            return
        self._say("roll back", "starting the old engine again")
        self._old = Candidate(spawn(self._launch, self._wiring.listener))
        times = self._old.wait_healthy(self.order.start_s, lambda _: self._leave_if_stopped())
        tell_start(self.order.db, self._launch, times, beside=False)
        self._opened()

    def _leave_if_stopped(self) -> None:
        """On the way back only a stop counts; it need not wait until the engine is healthy."""
        if self._wiring.interrupted() == "stop":
            raise NotAchieved("the engine is to stop: it is not waited for")

    def _go_on(self) -> None:
        """Raises `NotAchieved` where the swap is not to go on."""
        interruption = self._wiring.interrupted()
        if interruption == "stop":
            raise NotAchieved("the engine is to stop: the swap is called off")
        if interruption:
            raise NotAchieved("it was called off")

    def _opened(self) -> None:
        if self._closed_at is not None:
            self._note(waited_s=round(time.monotonic() - self._closed_at, 1))

    def _ask(self, engine: Candidate) -> Asker:
        ask = over_socket(
            engine.front.http_path(), api_key=self._launch.environ.get("VLLM_API_KEY")
        )

        def ask_on(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
            self._go_on()
            return ask(path, body)

        return ask_on

    @property
    def _directory(self) -> Path | None:
        """Where both engines run, from which a relative model counts."""
        return None if self._launch.directory is None else Path(self._launch.directory)

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        return round(time.monotonic() - self._began, 1)

    def _say(self, step: str, text: str) -> None:
        self._note(steps=(*self.report.steps, StepLine(self.elapsed_s, step, text)))
        self._wiring.tell(self.report, f"{step}: {text}")

    def _note(self, **changed: Any) -> None:
        self.report = replace(self.report, **changed)


def _words(error: TrimtabError) -> str:
    return " · ".join(filter(None, (error.what, error.meaning)))
