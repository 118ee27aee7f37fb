"""What was asked of the engine in two windows, and whether that makes them comparable.

The mix (prompt and output tokens per finished request) is the workload itself: when it moved, a
cost per request is of other requests. The request rate is workload too where the engine could have
taken more. It is what the engine made of its demand, an outcome, where requests waited in both
windows (the engine was saturated), or where as many were in flight in both: users who ask less
leave less in flight, a slower engine serves as many more slowly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.metrics.amounts import Amounts
from store.metrics.measure import MetricValue, to_json

MIX = ("prompt_tokens_per_request", "output_tokens_per_request")
RATE = "request_rate"
ACTIVE, WAITING, RUNNING = "active_fraction", "waiting_mean", "running_mean"
MOVED = 1.2
"""A mix or rate whose larger value is more than this times the smaller one has moved."""

BUSY = 0.95
"""An engine active for at least this part of the time is busy."""

WAITED = 0.25
"""Requests waited, so that an engine was saturated, where so many did on average."""


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
    """How the mix, the request rate and what was in flight differ between two windows' metrics."""
    return {
        name: _shift(a.get(name), b.get(name)) for name in (*MIX, RATE, ACTIVE, RUNNING, WAITING)
    }


def moved_mix(shifts: Mapping[str, Shift]) -> list[str]:
    """The figures of the mix that moved."""
    return [name for name in MIX if shifts[name].moved]


def saturated(shifts: Mapping[str, Shift]) -> bool:
    """Whether the engine was saturated in both windows: busy, and requests waited."""
    return _both(shifts[ACTIVE], BUSY) and _both(shifts[WAITING], WAITED)


def is_rate_an_outcome(shifts: Mapping[str, Shift]) -> bool:
    """Whether the engine, not its users, made the request rate what it was."""
    return saturated(shifts) or (_both(shifts[ACTIVE], BUSY) and _as_many_in_flight(shifts))


def rate_confounds(shifts: Mapping[str, Shift]) -> bool:
    """Whether a moved request rate, not the engine, explains what allocated time costs."""
    return bool(shifts[RATE].moved) and not is_rate_an_outcome(shifts)


def work_ratio(a: Amounts, b: Amounts) -> float | None:
    """How much more engine time a finished request of `b` asks for than one of `a`, by its tokens.

    A prompt token and an output token weigh what each took on average over both windows, so that
    what the engine did with them (cached them, say) does not count. None where it is not known.
    """
    weights = [
        _quotient(_total(a, b, seconds), _total(a, b, tokens))
        for seconds, tokens in (
            ("prefill_s", "request_prompt_tokens"),
            ("decode_s", "request_generation_tokens"),
        )
    ]
    if None in weights:
        return None
    per_request = []
    for side in (a, b):
        tokens = (side.get("request_prompt_tokens"), side.get("request_generation_tokens"))
        work = (
            None
            if None in tokens
            else sum(
                (weight or 0) * (count or 0) for weight, count in zip(weights, tokens, strict=True)
            )
        )
        per_request.append(_quotient(work, side.get("finished")))
    before, after = per_request
    return _quotient(after, before)


def _total(a: Amounts, b: Amounts, name: str) -> float | None:
    parts = (a.get(name), b.get(name))
    return None if None in parts else float(sum(part or 0 for part in parts))


def _quotient(over: float | None, per: float | None) -> float | None:
    return over / per if over is not None and per is not None and per > 0 else None


def _both(shift: Shift, least: float) -> bool:
    return all(isinstance(value, int | float) and value >= least for value in (shift.a, shift.b))


def _as_many_in_flight(shifts: Mapping[str, Shift]) -> bool:
    in_flight = []
    for side in ("a", "b"):
        running, waiting = (getattr(shifts[name], side) for name in (RUNNING, WAITING))
        if not isinstance(running, int | float):
            return False
        in_flight.append(running + (waiting if isinstance(waiting, int | float) else 0))
    low, high = sorted(in_flight)
    return 0 < high <= MOVED * low


def _shift(a: MetricValue, b: MetricValue) -> Shift:
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return Shift(a, b, None, None)
    low, high = sorted((a, b))
    return Shift(a, b, b / a if a > 0 else None, high > MOVED * low)
