"""What a change did: the time before it against the time after it, looked at while it grows.

    before = up to BEFORE_MS before the change began, not reaching into what an earlier change did
    after  = from when what was in flight at the change is answered until now, the beginning of the
             next change, or AFTER_MS later

Changes within `SETTLE_MS` of each other (several knobs set at once) are one act: nothing can tell
their effects apart. Its intervals hold at every look, so that the first verdict may be believed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from store.compare.sides.blocks import Span
from store.metrics.quantiles import quantile
from store.records import VARIANT, Change
from store.tables.changes import SETTLE_MS, carried_over, list_changes
from store.windows.window import read_window

if TYPE_CHECKING:
    from store.compare.comparison import Comparison
    from store.compare.watch import GrowingComparison
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook

BEFORE_MS = 300_000
AFTER_MS = 600_000
LAG_MS = 1_500
"""How far the newest row of a ledger that is being recorded may lie behind the clock."""

WASHED_OUT = 0.9
"""The share of requests in flight at a change that is answered when its `after` begins, by how long
requests took before it."""

_SHORTEST_WASHOUT_MS, _LONGEST_WASHOUT_MS = 1_000, 30_000
_LATENCY_SPAN_MS = 60_000

_OFTEN_S = 20
"""An `after` so long is looked at each second; twice as long, half as often, and so on."""


@dataclass(frozen=True, slots=True)
class Impact:
    """The effect of one change so far. `comparison` is None until each side holds a second, and for
    a change that did not take effect or that its own act took back (`was_put_back`); `seconds`
    counts the time measured before and after; `together` names other knobs changed in the same act.
    """

    change: Change
    before: Span
    after: Span
    comparison: Comparison | None = None
    seconds: tuple[float, float] = (0.0, 0.0)
    together: tuple[str, ...] = ()
    was_put_back: bool = False


@dataclass(frozen=True, slots=True)
class _Act:
    """When the changes of an act began and ended, the other knobs that it moved, and whether it
    moved none at all in the end."""

    first_ms: int
    last_ms: int
    together: tuple[str, ...]
    was_put_back: bool


@dataclass(frozen=True, slots=True)
class _Spans:
    before: Span
    after: Span
    act: _Act


class ImpactWatch:
    """One change, watched."""

    def __init__(
        self,
        ledger: Ledger,
        engine_id: int,
        prices: PriceBook,
        metrics: Collection[str] = (),
    ) -> None:
        """With `metrics` those (and the one that decides) are compared, else all."""
        self._ledger = ledger
        self._engine_id = engine_id
        self._prices = prices
        self._metrics = metrics
        self._washout_ms: int | None = None
        self._comparison: GrowingComparison | None = None
        self._last: Impact | None = None
        self._seen: _Spans | None = None

    def look(self, change: Change, now_ms: int) -> Impact:
        """The impact of the change, the same at each look, as far as it can be seen at `now_ms`.

        It is measured anew only where its spans have grown by enough to matter.
        """
        spans = self._spans(change, now_ms)
        if self._last is None or (self._last.change, self._seen) != (change, spans):
            self._last, self._seen = self._measured(change, spans), spans
        return self._last

    def _measured(self, change: Change, spans: _Spans) -> Impact:
        before, after, act = spans.before, spans.after, spans.act
        impact = Impact(change, before, after, together=act.together, was_put_back=act.was_put_back)
        is_empty = before.to_ms <= before.from_ms or after.to_ms <= after.from_ms
        if is_empty or act.was_put_back or change.outcome != "applied":
            return impact
        if self._comparison is None:
            from store.compare.watch import GrowingComparison  # numpy, only where one is made

            self._comparison = GrowingComparison(self._ledger, self._prices, self._metrics)
        comparison = self._comparison.look(before, after)
        seconds = (comparison.windows[0].seconds, comparison.windows[1].seconds)
        return replace(impact, comparison=comparison, seconds=seconds)

    def _spans(self, change: Change, now_ms: int) -> _Spans:
        reach_ms = BEFORE_MS + 2 * SETTLE_MS + _took(change)
        carried = carried_over(self._ledger, change)
        others = [
            other
            for other in list_changes(
                self._ledger, self._engine_id, change.ts_ms - reach_ms, change.ts_ms + AFTER_MS
            )
            if other.took_effect and other.id != change.id and other.id not in carried
        ]
        act = _act_of(change, others)
        earlier_ends = [other.ts_ms + SETTLE_MS for other in others if other.ts_ms < act.first_ms]
        later_starts = [other.ts_ms - _took(other) for other in others if other.ts_ms > act.last_ms]
        since_ms = min(act.first_ms, max([act.first_ms - BEFORE_MS, *earlier_ends]))
        start_ms = act.last_ms + self._washout(act.first_ms)
        end_ms = min([start_ms + AFTER_MS, *later_starts])
        seen_ms = now_ms - LAG_MS
        length_ms = end_ms - start_ms if seen_ms >= end_ms else _looked_at(seen_ms - start_ms)
        return _Spans(
            Span(self._engine_id, since_ms, act.first_ms, "before"),
            Span(self._engine_id, start_ms, start_ms + length_ms, "after"),
            act,
        )

    def _washout(self, first_ms: int) -> int:
        """How long what was in flight at the change keeps answering as before it, in ms."""
        if self._washout_ms is None:
            self._washout_ms = washout_ms(self._ledger, self._engine_id, first_ms)
        return self._washout_ms


def washout_ms(ledger: Ledger, engine_id: int, at_ms: int) -> int:
    """How long `WASHED_OUT` of the requests took that were answered in the minute before an
    instant; `SETTLE_MS` where nobody tells."""
    window = read_window(ledger, engine_id, at_ms - _LATENCY_SPAN_MS, at_ms)
    histogram = None if window is None else window.histograms.get("e2e")
    latency = None if histogram is None else quantile(histogram, WASHED_OUT)
    if latency is None:
        return SETTLE_MS
    seconds = latency if isinstance(latency, float) else latency.seconds
    return min(max(round(1000 * seconds), _SHORTEST_WASHOUT_MS), _LONGEST_WASHOUT_MS)


def _act_of(change: Change, others: list[Change]) -> _Act:
    """The act that a change belongs to: all that was set within `SETTLE_MS` of each other."""
    first_ms, last_ms = change.ts_ms - _took(change), change.ts_ms
    made = [change]
    for other in sorted(others, key=lambda other: abs(other.ts_ms - change.ts_ms)):
        if first_ms - SETTLE_MS <= other.ts_ms <= last_ms + SETTLE_MS:
            first_ms, last_ms = min(first_ms, other.ts_ms - _took(other)), max(last_ms, other.ts_ms)
            made.append(other)
    values: dict[str, tuple[object, object]] = {}
    for each in sorted(made, key=lambda each: each.ts_ms):
        first_value, _ = values.get(each.knob, (each.from_value, None))
        values[each.knob] = (first_value, each.to_value)
    moved = {knob for knob, (start, end) in values.items() if start != end or knob == VARIANT}
    return _Act(first_ms, last_ms, tuple(sorted(moved - {change.knob})), not moved)


def _took(change: Change) -> int:
    """Milliseconds from a change's beginning to its effect: a swap's may be a minute."""
    return 0 if change.took_ms is None else round(change.took_ms)


def _looked_at(length_ms: int) -> int:
    """Whole seconds of a length, the more apart the longer it is: a look costs the same each time
    and shows less and less that is new."""
    seconds = max(0, length_ms // 1000)
    step = 1 << max(0, (seconds // _OFTEN_S).bit_length() - 1)
    return 1000 * (seconds // step * step)
