"""Two windows compared: effects with intervals, the workload's shift, a verdict with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.compare.blocks import BLOCK_MS, Span
from store.compare.bootstrap import Resamples, resample
from store.compare.circumstances import circumstances
from store.compare.effects import MIN_BLOCKS, Effect, Verdict, effect
from store.compare.sides import Side, read_side
from store.compare.verdicts import overall
from store.compare.workload import Shift, moved_mix, rate_confounds, saturated, workload
from store.metrics.prices import PriceBook
from store.metrics.specs import METRICS

if TYPE_CHECKING:
    from store.ledger.connection import Ledger

__all__ = ["Comparison", "Effect", "Shift", "Span", "Verdict", "WindowNote", "compare"]


@dataclass(frozen=True, slots=True)
class WindowNote:
    """What a side of a comparison was made of: where it snapped to, its runs, its blocks."""

    span: Span
    from_ms: int | None
    to_ms: int | None
    runs: int
    blocks: int
    block_ms: int
    left_out: Mapping[str, int]

    def to_json(self) -> dict[str, object]:
        """The note as JSON; times are milliseconds since the epoch."""
        return {
            "label": self.span.label,
            "engine_id": self.span.engine_id,
            "from": self.from_ms,
            "to": self.to_ms,
            "runs": self.runs,
            "blocks": self.blocks,
            "block_ms": self.block_ms,
            "left_out": dict(self.left_out),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """`metrics` in the order of display; `workload` the mix, the request rate and the active
    fraction; `reasons` sentences for a person, what decided first."""

    metrics: Mapping[str, Effect]
    workload: Mapping[str, Shift]
    verdict: Verdict
    reasons: list[str]
    windows: tuple[WindowNote, WindowNote]

    def to_json(self) -> dict[str, object]:
        """The comparison as JSON."""
        shifts: dict[str, object] = {name: shift.to_json() for name, shift in self.workload.items()}
        return {
            "metrics": {name: effect.to_json() for name, effect in self.metrics.items()},
            "workload": shifts | {"saturated": saturated(self.workload)},
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "windows": {"a": self.windows[0].to_json(), "b": self.windows[1].to_json()},
        }


def compare(
    ledger: Ledger,
    a: Span,
    b: Span,
    prices: PriceBook,
    *,
    block_ms: int = BLOCK_MS,
    seed: int = 0,
) -> Comparison:
    """Compare two spans, `a` before and `b` after, at `prices`.

    The same ledger, spans and seed give the same answer to the last digit, and swapping the spans
    gives the same answer with the signs turned.
    """
    before, after = read_side(ledger, a, prices, block_ms), read_side(ledger, b, prices, block_ms)
    shifts = workload(before.values, after.values)
    resamples = _draw(before, after, seed)
    mix, rate = bool(moved_mix(shifts)), rate_confounds(shifts)
    effects = {
        spec.name: effect(spec, before, after, resamples, not (mix or (spec.demand and rate)))
        for spec in METRICS
    }
    verdict, reasons = overall(before, after, effects, shifts)
    reasons += circumstances(ledger, before, after, prices)
    return Comparison(effects, shifts, verdict, reasons, (_note(before), _note(after)))


def _draw(a: Side, b: Side, seed: int) -> tuple[Resamples, Resamples] | None:
    """Resamples of both sides, independent of each other; None where a side has too few blocks.

    The stream of random numbers goes with the span, not with its place, so that a swap of the
    sides turns signs and nothing else.
    """
    if min(len(a.parts), len(b.parts)) < MIN_BLOCKS:
        return None
    swapped = _order(b.span) < _order(a.span)
    return (
        resample(len(a.parts), (seed, int(swapped))),
        resample(len(b.parts), (seed, int(not swapped))),
    )


def _order(span: Span) -> tuple[int, int, int]:
    return (span.from_ms, span.to_ms, span.engine_id)


def _note(side: Side) -> WindowNote:
    window = side.window
    return WindowNote(
        side.span,
        None if window is None else window.from_ms,
        None if window is None else window.to_ms,
        0 if window is None else window.runs,
        len(side.parts),
        side.blocks.block_ms,
        side.blocks.left_out,
    )
