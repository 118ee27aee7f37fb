"""The tour: about two minutes on a live engine without a person.

    caching off   30 s      then on   30 s      → what prefix caching is worth
    batch size 1  30 s      then back 10 s      → what the batch size is worth

Knobs change on the running engine; after each the engine settles before anything is measured. Where
something else keeps the machine busy an effect takes longer to show: the tour says so and watches
on. The effects are then looked for in the ledger, and what is not there is a finding, not a shrug.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.acts import describe, set_knobs
from app.text.comparison import comparison_lines
from app.text.durations import format_duration
from app.text.status_line import status_line
from store.clock import now_ms
from store.compare.impact import LAG_MS
from store.knobs.specs import KNOBS
from store.tables.changes import SETTLE_MS

if TYPE_CHECKING:
    from engines.knob_handle import KnobHandle
    from store.compare.comparison import Comparison, Span
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook
    from store.records import KnobValue

MEASURED_S = 30.0
PUT_BACK_S = 10.0
LONGEST_S = 240.0
"""So long an effect is watched for."""
STATUS_EVERY_S = 10.0
LOOK_EVERY_S = 1.0
FIRST_ANSWERS_S = 60.0

CACHING = "enable_prefix_caching"
BATCH = "max_num_seqs"
CACHING_WORDS, BATCH_WORDS = KNOBS[CACHING].label, KNOBS[BATCH].label
TOUR_METRICS = (
    "cost_per_request_usd",
    "request_rate",
    "generation_rate",
    "cache_hit_rate",
    "running_mean",
    "ttft_p95",
    "e2e_p95",
)


@dataclass
class Findings:
    """What the tour saw: both comparisons, and the effects that were missing."""

    comparisons: dict[str, Comparison] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


class Tour:
    """Turns knobs on one engine that is being recorded into `ledger`, and measures."""

    def __init__(
        self,
        ledger: Ledger,
        engine: KnobHandle,
        prices: PriceBook,
        tell: Callable[[str], None],
        show: Callable[[Comparison, str, str], None] | None,
    ) -> None:
        self._ledger = ledger
        self._engine = engine
        self._prices = prices
        self._tell = tell
        self._show = show

    def run(self) -> Findings:
        """Take the tour; raises NotAchieved where a knob cannot be turned."""
        from engines.control.knobs import read_knobs

        findings = Findings()
        start = {state.name: state.value for state in read_knobs(self._engine.sockets)}
        batch = start.get(BATCH)
        self._wait_for_answers()
        off = self._turn("caching off", CACHING, False)
        off = self._watched(off, MEASURED_S)
        on = self._turn("caching on", CACHING, True)
        on = self._compare(findings, CACHING_WORDS, off, on)
        alone = self._turn(f"{BATCH_WORDS} 1", BATCH, 1)
        self._compare(findings, BATCH_WORDS, on, alone)
        if batch is not None:
            back = self._turn(f"{BATCH_WORDS} {batch}", BATCH, batch)
            self._watched(back, PUT_BACK_S)
        findings.missing += self._missing(findings, off, on)
        return findings

    def _wait_for_answers(self) -> None:
        """Until requests are being answered at a steady pace."""
        deadline = time.monotonic() + FIRST_ANSWERS_S
        while self._value("requests", now_ms() - 3_000, now_ms()) in (None, 0):
            if time.monotonic() > deadline:
                from store.errors import NotAchieved

                raise NotAchieved("No request was answered within a minute")
            time.sleep(1)
        self._watch(5.0)

    def _turn(self, label: str, knob: str, value: KnobValue) -> Span:
        """Turn a knob and let the engine settle; the span that begins then, still empty."""
        from store.compare.comparison import Span
        from store.tables.engines import find_engine

        (change,) = set_knobs(self._ledger, self._engine, [(knob, value)], why="the demo's tour")
        self._tell(f"-- {describe(change)}, no restart")
        row = find_engine(self._ledger, self._engine.life.url)
        assert row is not None  # its readings were waited for
        time.sleep(SETTLE_MS / 1000)
        from_ms = change.ts_ms + SETTLE_MS
        return Span(row.id, from_ms, from_ms, label)

    def _watched(self, span: Span, seconds: float) -> Span:
        """The span after watching for so long, and a second more: its last row must be there."""
        self._watch(seconds + 1)
        return replace(span, to_ms=span.from_ms + round(1000 * seconds))

    def _watch(self, seconds: float) -> None:
        """Say now and then how it goes."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) >= STATUS_EVERY_S:
            time.sleep(STATUS_EVERY_S)
            self._tell(status_line(self._ledger, self._engine.life.url, self._prices, now_ms()))
        time.sleep(max(0.0, left))

    def _compare(self, findings: Findings, name: str, a: Span, b: Span) -> Span:
        """Watch `b` grow beside `a`, and tell what is shown; `b` as it was measured.

        It is looked at each second: what was shown at any look was shown, also where something
        else took the machine's time afterwards.
        """
        from store.compare.watch import GrowingComparison

        growing = GrowingComparison(self._ledger, self._prices)
        shown: tuple[Span, Comparison] | None = None
        next_status_s = STATUS_EVERY_S
        while True:
            time.sleep(LOOK_EVERY_S)
            b = replace(b, to_ms=max(b.from_ms, now_ms() - LAG_MS))
            comparison = growing.look(a, b)
            if comparison.verdict in ("better", "worse"):
                shown = b, comparison
            length_s = _length_s(b)
            if length_s >= next_status_s:
                next_status_s += STATUS_EVERY_S
                self._tell(status_line(self._ledger, self._engine.life.url, self._prices, now_ms()))
                if shown is None and length_s >= MEASURED_S:
                    self._tell(f"-- {b.label}: nothing shown yet; watching on")
            if length_s >= LONGEST_S or (shown and length_s >= MEASURED_S):
                break
        measured, comparison = shown or (b, comparison)
        findings.comparisons[name] = comparison
        lengths = " and ".join(format_duration(_length_s(side)) for side in (a, measured))
        self._tell(f"== {a.label} against {b.label}, {lengths}")
        if self._show is not None:
            self._show(comparison, a.label, b.label)
        for line in comparison_lines(comparison):
            self._tell(line)
        return measured

    def _missing(self, findings: Findings, off: Span, on: Span) -> list[str]:
        cost = findings.comparisons[CACHING_WORDS].metrics["cost_per_request_usd"].interval
        output = findings.comparisons[BATCH_WORDS].metrics["generation_rate"].interval
        cached_off = self._value("cached_prompt_tokens", off.from_ms, off.to_ms)
        asked_off = self._value("prompt_tokens", off.from_ms, off.to_ms)
        cached_on = self._value("cached_prompt_tokens", on.from_ms, on.to_ms)
        whole = self._value("requests_failed", off.from_ms, now_ms())
        effects = {
            "with caching off, prompts went on and no token came from the cache": (
                cached_off == 0 and bool(asked_off)
            ),
            "with caching on again, tokens came from the cache": bool(cached_on),
            "caching on made a request cheaper (95 % interval below 0)": (
                cost is not None and cost[1] < 0
            ),
            f"{BATCH_WORDS} 1 brought output tokens/s down (95 % interval below 0)": (
                output is not None and output[1] < 0
            ),
            "no request failed": whole == 0,
        }
        return [effect for effect, seen in effects.items() if not seen]

    def _value(self, name: str, from_ms: int, to_ms: int) -> object:
        from store.metrics.measure import metrics
        from store.tables.engines import find_engine
        from store.windows.window import read_window

        row = find_engine(self._ledger, self._engine.life.url)
        window = None if row is None else read_window(self._ledger, row.id, from_ms, to_ms)
        return None if window is None else metrics(window, self._prices)[name]


def _length_s(span: Span) -> float:
    return round((span.to_ms - span.from_ms) / 1000)
