"""What was asked of the engine in two windows, and whether that makes them comparable.

The mix (prompt and output tokens per finished request) is the workload itself: when it moved, a
cost per request is of other requests. The request rate is workload too where the engine could have
taken more; where it was saturated the rate is what the engine made of its demand: an outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.metrics.measure import MetricValue, to_json

MIX = ("prompt_tokens_per_request", "output_tokens_per_request")
RATE = "request_rate"
MOVED = 1.2
"""A mix or rate whose larger value is more than this times the smaller one has moved."""

SATURATED = 0.95
"""An engine active for at least this part of the time is taken to be saturated."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One figure of the workload in both windows; `moved` is None where it is not known."""

    a: MetricValue
    b: MetricValue
    ratio: float | None
    moved: bool | None

    def to_json(self) -> dict[str, object]:
        """The shift as JSON."""
        return {
            "a": to_json(self.a),
            "b": to_json(self.b),
            "ratio": self.ratio,
            "moved": self.moved,
        }


def workload(a: Mapping[str, MetricValue], b: Mapping[str, MetricValue]) -> dict[str, Shift]:
    """How the mix, the request rate and the active fraction differ between two windows' metrics."""
    return {name: _shift(a.get(name), b.get(name)) for name in (*MIX, RATE, "active_fraction")}


def moved_mix(shifts: Mapping[str, Shift]) -> list[str]:
    """The figures of the mix that moved."""
    return [name for name in MIX if shifts[name].moved]


def saturated(shifts: Mapping[str, Shift]) -> bool:
    """Whether the engine was saturated in both windows."""
    active = shifts["active_fraction"]
    return all(
        isinstance(value, int | float) and value >= SATURATED for value in (active.a, active.b)
    )


def rate_confounds(shifts: Mapping[str, Shift]) -> bool:
    """Whether a moved request rate, not the engine, explains what allocated time costs."""
    return bool(shifts[RATE].moved) and not saturated(shifts)


def _shift(a: MetricValue, b: MetricValue) -> Shift:
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return Shift(a, b, None, None)
    low, high = sorted((a, b))
    return Shift(a, b, b / a if a > 0 else None, high > MOVED * low)
