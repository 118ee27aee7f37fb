"""A swap from one engine to another on the same address, with a way back from every step.

`overlap`     the new engine starts beside the old one, is verified, takes over; the old one ends
`stop-start`  the old one stops taking, finishes and ends; the new one starts, is verified, takes
              over; clients wait in the queue meanwhile

Whatever fails, the old engine serves on: in an overlap it never stopped, else it is started again
with its own command. `Swap.run` gives the launch and the engine in force afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from socket import socket
from typing import Any

from engines import serving
from engines.discovery import probe
from engines.knobs import read_knobs, set_knob
from engines.launch import Launch, spawn
from engines.priority import give_way
from engines.quality.asking import Asker, over_socket
from engines.quality.scoring import Scores
from engines.startup import Phase, Started
from engines.supervisor.candidate import Candidate, check_arguments, launch_of
from engines.supervisor.evidence import Evidence, evidence_of
from engines.supervisor.order import Order, Strategy, strategy_for
from engines.supervisor.verify import scores_of, verify
from engines.variants import estimate, read_weights
from engines.variants.places import model_place
from store.errors import NotAchieved, TrimtabError
from store.records import KnobState

Say = Callable[[str, str], None]
"""Told a step and a line about it."""

Running = tuple[Launch, Started]


class Swap:
    """One swap; `result` tells of it, also while it runs."""

    def __init__(
        self,
        order: Order,
        running: Running,
        listener: socket,
        say: Say,
        called_off: Callable[[], bool],
    ) -> None:
        self.order = order
        self._called_off = called_off
        self._launch, engine = running
        self._old = Candidate(engine)
        self._listener = listener
        self._say_to = say
        self._began = time.monotonic()
        self._closed_at: float | None = None
        self._lines: list[dict[str, Any]] = []
        self.result: dict[str, Any] = {
            "id": order.id,
            "variant": order.variant.name,
            "strategy": order.strategy,
            "outcome": "running",
            "reason": "",
            "waited_s": 0.0,
            "steps": self._lines,
        }

    def run(self) -> Running:
        """Do it, or leave things as they were."""
        try:
            running = self._swap()
        except TrimtabError as error:
            self._end("rolled back", " · ".join(filter(None, (error.what, error.meaning))))
            return self._launch, self._old.started
        self._end("done", "")
        return running

    def _swap(self) -> Running:
        order = self.order
        strategy = self._strategy()
        self.result["strategy"] = strategy
        launch = launch_of(
            self._launch,
            order.variant,
            self._old.started.log_path,
            beside=strategy == "overlap",
        )
        self._say("check", "asking vLLM whether it takes the arguments")
        check_arguments(launch)
        old_evidence = self._evidence(self._launch, self._old.started)
        knobs = read_knobs(self._old.knob_sockets())
        self._say("measure", "the old engine's quality")
        before = scores_of(self._ask(self._old), order, self._launch.model)
        if strategy == "stop-start":
            self._stop_old()
        try:
            new = self._start(launch)
            try:
                self._verify(new, launch, old_evidence, before)
                self._carry_over(new, knobs)
                self._say("take over", f"process {new.started.pid} takes connections")
                new.front.open()
                if launch.gives_way:
                    give_way(new.started.pid)
                self._opened()
            except TrimtabError:
                self._say("roll back", f"ending process {new.started.pid}")
                new.end(0)
                raise
        except TrimtabError:
            self._restore(strategy)
            raise
        if strategy == "overlap":
            self._say("drain", f"process {self._old.started.pid} finishes what it has")
            self._old.end(order.drain_s)
        serving.rename(launch.name, self._launch.name)
        name = self._launch.name
        return replace(launch, name=name), replace(new.started, name=name)

    def _strategy(self) -> Strategy:
        """How to swap; raises `NotAchieved` for a model that is not there or does not fit."""
        variant = self.order.variant
        self._say(
            "plan", f"to {variant.name}: {variant.model} {' '.join(variant.arguments)}".strip()
        )
        weights = read_weights(model_place(variant.model))
        if weights.problem:
            raise NotAchieved(f"{variant.model} cannot be served", weights.problem)
        found = estimate(variant, probe(self._launch.url), weights=weights)
        if found.verdict == "does not fit":
            raise NotAchieved("it does not fit", found.reason)
        if self.order.strategy != "auto":
            return self.order.strategy
        return strategy_for(found)

    def _stop_old(self) -> None:
        self._say("drain", f"process {self._old.started.pid} finishes what it has; others wait")
        self._closed_at = time.monotonic()
        self._old.end(self.order.drain_s)

    def _start(self, launch: Launch) -> Candidate:
        new = Candidate(spawn(launch, self._listener, held=True))
        self._say("start", f"process {new.started.pid}")
        said: list[str] = []

        def report(phase: Phase) -> None:
            if self._called_off():
                raise NotAchieved("the engine is to stop: the swap is called off")
            if phase.text not in said:
                said.append(phase.text)
                self._say("start", phase.text)

        try:
            new.wait_healthy(self.order.start_s, report)
        except TrimtabError:
            new.end(0)
            raise
        return new

    def _verify(self, new: Candidate, launch: Launch, old: Evidence, before: Scores | None) -> None:
        self._say("verify", "it answers; what changed, and is it as good")
        found = verify(
            self._ask(new),
            self.order,
            self._launch.model,
            old=old,
            new=self._evidence(launch, new.started),
            before=before,
        )
        self.result["evidence"] = found.to_json()
        quality = found.quality
        self._say("verify", f"quality {quality.outcome}: {'; '.join(quality.reasons) or 'as good'}")
        if found.refused and not self.order.keep:
            raise NotAchieved(found.refused)
        if found.refused:
            self._say("verify", f"kept all the same, as asked: {found.refused}")

    def _carry_over(self, new: Candidate, knobs: list[KnobState]) -> None:
        """Give the new engine the live values that the old one had been set to."""
        sockets = new.knob_sockets()
        for knob in knobs:
            if knob.kind != "live" or knob.value in (None, knob.start):
                continue
            try:
                set_knob(sockets, knob.name, knob.value, who=self.order.who or "swap")
            except TrimtabError as error:
                self._say("take over", f"{knob.name} stays at its start value: {error.what}")

    def _restore(self, strategy: Strategy) -> None:
        """Let the old engine serve as before."""
        if strategy == "overlap":
            self._old.front.open()
            return
        if self._called_off():
            return
        self._say("roll back", "starting the old engine again")
        self._old = Candidate(spawn(self._launch, self._listener))
        self._old.wait_healthy(self.order.start_s, lambda _: None)
        self._opened()

    def _opened(self) -> None:
        if self._closed_at is not None:
            self.result["waited_s"] = round(time.monotonic() - self._closed_at, 1)

    def _ask(self, engine: Candidate) -> Asker:
        return over_socket(
            engine.front.http_path(), api_key=self._launch.environ.get("VLLM_API_KEY")
        )

    def _evidence(self, launch: Launch, started: Started) -> Evidence:
        return evidence_of(launch.arguments, started.log_path)

    def _say(self, step: str, text: str) -> None:
        at_s = round(time.monotonic() - self._began, 1)
        self._lines.append({"at_s": at_s, "step": step, "text": text})
        self._say_to(step, text)

    def _end(self, outcome: str, reason: str) -> None:
        self.result |= {
            "outcome": outcome,
            "reason": reason,
            "took_s": round(time.monotonic() - self._began, 1),
        }
        self._say(outcome, reason or f"{self.order.variant.name} serves")
