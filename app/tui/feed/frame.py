"""What the screen shows, as one immutable value per second.

A frame crosses from the feed's thread to the screen whole; widgets draw from it and from nothing
else. Times are milliseconds since the epoch; a value nobody knows is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from store.records import Change, EngineRow, Event, KnobState, RunRow

if TYPE_CHECKING:
    from app.text.cards import CardLine
    from store.compare.impact import Impact
    from store.errors import TrimtabError
    from store.metrics.measure import MetricValue
    from store.reports.swap import SwapReport
    from store.tables.starts import TimeLeft

STALE_MS = 5_000
"""A last reading older than this is shown as the past, with its age."""


@dataclass(frozen=True, slots=True)
class Range:
    """How far back the figures look (`window_ms`) and the width of a chart's slot (`slot_ms`)."""

    label: str
    window_ms: int
    slot_ms: int


RANGES = (
    Range("15 s", 15_000, 2_000),
    Range("1 min", 60_000, 5_000),
    Range("5 min", 300_000, 20_000),
)


@dataclass(frozen=True, slots=True)
class Query:
    """What the screen wants to see: an engine (by id, name or URL; None: the first) and a range."""

    engine: int | str | None = None
    range: Range = RANGES[0]


@dataclass(frozen=True, slots=True)
class Mark:
    """A change that took effect, as drawn on the charts and named in the log."""

    ts_ms: int
    letter: str
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """Chart values by metric name and slot (slot = epoch ms ÷ `slot_ms`); absent where unknown."""

    slot_ms: int
    last_slot: int
    values: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything on the screen at `now_ms`.

    `metrics` are those of the `range` that ends at `until_ms`, the last reading; empty before there
    are two readings; `unknown` says why some are None. `prices` says at what price and who states
    it. `letters` names changes by id. `swaps` are the engine's last ones, newest first;
    `start_left` what earlier starts tell of the one in a swap that runs. `cards` are the GPUs of
    its host, also those that it does not hold.
    """

    now_ms: int
    range: Range = RANGES[0]
    problem: TrimtabError | None = None
    engines: tuple[EngineRow, ...] = ()
    engine: EngineRow | None = None
    run: RunRow | None = None
    recorder: str | None = None
    until_ms: int | None = None
    runs: int = 1
    metrics: Mapping[str, MetricValue] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    idle: bool = False
    prices: str = ""
    series: Series | None = None
    marks: tuple[Mark, ...] = ()
    letters: Mapping[str, str] = field(default_factory=dict)
    knobs: tuple[KnobState, ...] = ()
    changes: tuple[Change, ...] = ()
    impact: Impact | None = None
    events: tuple[Event, ...] = ()
    swaps: tuple[SwapReport, ...] = ()
    start_left: TimeLeft | None = None
    cards: tuple[CardLine, ...] = ()

    @property
    def age_ms(self) -> int | None:
        """How old the last reading is; None where there is none."""
        return None if self.until_ms is None else max(0, self.now_ms - self.until_ms)

    @property
    def stale(self) -> bool:
        """Whether the figures are of the past rather than of now."""
        return self.age_ms is not None and self.age_ms > STALE_MS

    @property
    def swapping(self) -> SwapReport | None:
        """The swap that runs."""
        return next((swap for swap in self.swaps[:1] if swap.outcome == "running"), None)

    def knob(self, name: str) -> KnobState | None:
        """The state of one knob, where the engine has it."""
        return next((knob for knob in self.knobs if knob.name == name), None)
