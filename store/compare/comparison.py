"""Two windows compared: effects with intervals, the workload's shift, a verdict with reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.compare.conditions.circumstances import circumstances
from store.compare.conditions.device_sets import devices_unlike
from store.compare.conditions.sharing import is_by_part, shared_otherwise
from store.compare.conditions.workload import (
    Shift,
    is_rate_an_outcome,
    moved_mix,
    rate_confounds,
    saturated,
    work_ratio,
    workload,
)
from store.compare.drift import Drift, drift_between
from store.compare.effects import Effect, Terms, Verdict, effect
from store.compare.intervals.estimate import Certainty, Estimate
from store.compare.sides.blocks import Span
from store.compare.sides.side import Side, read_side
from store.compare.verdicts import deciding_metric, overall
from store.compare.waiting import seconds_to_verdict
from store.metrics.prices import PriceBook
from store.metrics.specs import METRICS, SPECS

if TYPE_CHECKING:
    from store.ledger.connection import Ledger

__all__ = ["Comparison", "Effect", "Shift", "Span", "Verdict", "WindowNote", "compare"]

ALPHA = 0.05
"""The share of cases in which an interval may miss the truth."""


@dataclass(frozen=True, slots=True)
class WindowNote:
    """What a side of a comparison was made of: where it snapped to, its runs, its blocks, and the
    seconds left out by reason."""

    span: Span
    from_ms: int | None
    to_ms: int | None
    runs: int
    blocks: int
    block_ms: int
    seconds: float
    left_out: Mapping[str, float]

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
            "seconds": self.seconds,
            "left_out": dict(self.left_out),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """`metrics` in the order of display; `workload` the mix, the request rate and what was in
    flight; `reasons` sentences for a person, what decided first.

    `deciding` is the metric that the verdict is of, `adjusted_ratio` its ratio without what other
    requests ask for, `expected_s` how much longer the second window must grow until the difference
    that is seen would be shown (None: it is, or no time will do). `at_every_look` says that the
    intervals hold for one who watches, `drift` what is known of how windows differ by themselves.
    """

    metrics: Mapping[str, Effect]
    workload: Mapping[str, Shift]
    verdict: Verdict
    reasons: list[str]
    windows: tuple[WindowNote, WindowNote]
    deciding: str | None = None
    adjusted_ratio: float | None = None
    expected_s: float | None = None
    at_every_look: bool = False
    drift: Drift | None = None

    def to_json(self) -> dict[str, object]:
        """The comparison as JSON."""
        shifts: dict[str, object] = {name: shift.to_json() for name, shift in self.workload.items()}
        return {
            "metrics": {name: effect.to_json() for name, effect in self.metrics.items()},
            "workload": shifts
            | {
                "saturated": saturated(self.workload),
                "rate_is_outcome": is_rate_an_outcome(self.workload),
            },
            "verdict": self.verdict,
            "deciding": self.deciding,
            "adjusted_ratio": self.adjusted_ratio,
            "expected_s": self.expected_s,
            "at_every_look": self.at_every_look,
            "drift": None if self.drift is None else self.drift.to_json(),
            "reasons": list(self.reasons),
            "windows": {"a": self.windows[0].to_json(), "b": self.windows[1].to_json()},
        }


def compare(ledger: Ledger, a: Span, b: Span, prices: PriceBook) -> Comparison:
    """Compare two spans, `a` before and `b` after, at `prices`: one look at two fixed windows.

    The same ledger and spans give the same answer to the last digit, and swapping the spans gives
    the same answer with the signs turned.
    """
    before, after = read_side(ledger, a, prices), read_side(ledger, b, prices)
    drift = drift_between(ledger, before, after, prices)
    return compare_sides(ledger, before, after, prices, drift=drift)


def compare_sides(
    ledger: Ledger,
    a: Side,
    b: Side,
    prices: PriceBook,
    *,
    only: Collection[str] = (),
    at_every_look: bool = False,
    drift: Drift | None = None,
) -> Comparison:
    """Compare two sides that were read.

    `at_every_look` is for one who watches `b` grow and acts on the first verdict. With `only` those
    metrics (and the one that decides) are compared; one metric decides, and the more others there
    are, the more each must show. `drift` widens intervals by what untouched windows differ by.
    """
    shifts = workload(a.values, b.values)
    shared = shared_otherwise(ledger, a, b)
    deciding = deciding_metric(a, b, shifts, by_part=not shared)
    specs = [spec for spec in METRICS if not only or spec.name in only or spec.name == deciding]
    others = sum(spec.better is not None and spec.name != deciding for spec in specs)
    mix, rate = bool(moved_mix(shifts)), rate_confounds(shifts)
    effects: dict[str, Effect] = {}
    estimates: dict[str, Estimate | None] = {}
    for spec in specs:
        alpha = ALPHA if spec.name == deciding else ALPHA / max(1, others)
        is_confounded = mix or (spec.demand and rate) or (bool(shared) and is_by_part(spec))
        terms = Terms(Certainty(alpha, at_every_look), drift, not is_confounded)
        effects[spec.name], estimates[spec.name] = effect(spec, a, b, terms)
    unlike = devices_unlike(ledger, a, b)
    verdict, reasons = overall(a, b, effects, shifts, deciding, shared=shared, unlike=unlike)
    reasons += circumstances(ledger, a, b, prices)
    if drift is not None and drift.reason:
        reasons.append(drift.reason)
    estimated = None if deciding is None else estimates.get(deciding)
    is_open = verdict in ("no difference shown", "too few blocks")
    return Comparison(
        effects,
        shifts,
        verdict,
        reasons,
        (_note(a), _note(b)),
        deciding,
        _adjusted(a, b, effects, deciding),
        seconds_to_verdict(estimated, b, at_every_look=at_every_look) if is_open else None,
        at_every_look,
        drift,
    )


def _adjusted(
    a: Side, b: Side, effects: Mapping[str, Effect], deciding: str | None
) -> float | None:
    """The deciding ratio for requests that ask for the same, where it is one of cost a request."""
    if deciding is None or SPECS[deciding].per != "requests":
        return None
    ratio, work = effects[deciding].ratio, work_ratio(a.sums, b.sums)
    return None if ratio is None or work is None else ratio / work


def _note(side: Side) -> WindowNote:
    window = side.window
    return WindowNote(
        side.span,
        None if window is None else window.from_ms,
        None if window is None else window.to_ms,
        0 if window is None else window.runs,
        len(side.parts),
        side.blocks.block_ms,
        side.blocks.seconds,
        side.blocks.left_out,
    )
