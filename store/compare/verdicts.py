"""The overall verdict of a comparison, and the reasons a person should read beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from store.compare.conditions.workload import (
    MIX,
    RATE,
    Shift,
    is_rate_an_outcome,
    moved_mix,
    rate_confounds,
    saturated,
)
from store.compare.effects import Effect, Verdict
from store.compare.sides.blocks import FEWEST_BLOCKS
from store.metrics.formats import format_metric, format_ratio
from store.metrics.specs import SPECS

if TYPE_CHECKING:
    from store.compare.sides.side import Side

COST = "cost_per_request_usd"
ACTIVE_COST = "active_cost_per_request_usd"


def deciding_metric(
    a: Side, b: Side, shifts: Mapping[str, Shift], *, by_part: bool = True
) -> str | None:
    """The metric that the verdict is of, known before any is compared: cost per request. Where the
    users, not the engine, moved the request rate, active cost per request; where no price is known,
    or costs are not `by_part` of the devices that is the same in both, the request rate of the same
    devices, to which the cost of a whole device is inverse. None where nothing can decide.
    """
    if a.window is None or b.window is None:
        return None
    confounded = rate_confounds(shifts)
    name = ACTIVE_COST if confounded else COST
    if by_part and (a.values.get(name) or b.values.get(name)):
        return name
    same_devices = {part.device for part in a.window.devices} == {
        part.device for part in b.window.devices
    }
    return RATE if same_devices and not confounded else None


def overall(
    a: Side,
    b: Side,
    effects: Mapping[str, Effect],
    shifts: Mapping[str, Shift],
    deciding: str | None,
    *,
    shared: str = "",
    unlike: Sequence[str] = (),
) -> tuple[Verdict, list[str]]:
    """The verdict by the deciding metric, and why it is that. `shared` tells what devices were
    shared otherwise in the one window than in the other, `unlike` which were not there all the
    time."""
    reasons = _unreadable(a, b) or list(unlike) or _other_requests(shifts)
    if reasons:
        return "not comparable", reasons
    reasons = _unknown_mix(shifts) + _moved_rate(shifts)
    if deciding is None:
        return "not comparable", [*reasons, shared or "cost per request is not known"]
    if shared:
        reasons.append(f"{shared}; judged by requests/s, what a second of the same devices did")
    elif deciding == RATE:
        reasons.append("no price applies: judged by requests/s, to which cost is inverse")
    short_sides = [side for side in (a, b) if not side.is_enough]
    if short_sides:
        return "too few blocks", [_too_few(side) for side in short_sides] + reasons
    verdict = effects[deciding].verdict
    if verdict is None:
        return "no difference shown", [*reasons, "too few requests for an interval"]
    return verdict, reasons + _hints(deciding, effects, shifts)


def _unreadable(a: Side, b: Side) -> list[str]:
    sentences = []
    for side in (a, b):
        requests = side.values.get("requests")
        if side.window is None:
            sentences.append(f"no readings in {side.label}")
        elif requests is None:
            sentences.append(f"{side.label}: the engine does not tell how many requests finished")
        elif requests == 0:
            sentences.append(f"no traffic in {side.label}: no request finished")
    return sentences


def _other_requests(shifts: Mapping[str, Shift]) -> list[str]:
    return [
        f"{_shift_sentence(name, shifts)}: these are other requests" for name in moved_mix(shifts)
    ]


def _unknown_mix(shifts: Mapping[str, Shift]) -> list[str]:
    return [
        f"{SPECS[name].label} not known: the mix may have moved"
        for name in MIX
        if shifts[name].moved is None
    ]


def _moved_rate(shifts: Mapping[str, Shift]) -> list[str]:
    if not shifts[RATE].moved:
        return []
    sentence = _shift_sentence(RATE, shifts)
    if saturated(shifts):
        return [f"{sentence} with the engine saturated in both windows: an outcome"]
    if is_rate_an_outcome(shifts):
        return [f"{sentence} with as many requests in flight in both windows: an outcome"]
    return [
        f"{sentence} and the engine was not saturated: allocated cost follows the rate, so active "
        "cost per request decides (it still depends on how many requests run together)"
    ]


def _too_few(side: Side) -> str:
    return f"{side.label} holds {len(side.parts)} usable blocks; a verdict needs {FEWEST_BLOCKS}"


def _hints(name: str, effects: Mapping[str, Effect], shifts: Mapping[str, Shift]) -> list[str]:
    hints = []
    failed = effects.get("failed_share")
    if failed is not None and failed.verdict == "worse":
        spec = SPECS["failed_share"]
        hints.append(
            f"more requests fail: {format_metric(spec, failed.a)} → {format_metric(spec, failed.b)}"
        )
    active = effects.get(ACTIVE_COST)
    differs = active is not None and name == COST and active.verdict != effects[COST].verdict
    if active is not None and differs and not is_rate_an_outcome(shifts):
        hints.append(
            "the engine was not saturated, so allocated cost per request is the inverse of the "
            f"request rate; active cost per request: {active.verdict or 'not known'}"
        )
    return hints


def _shift_sentence(name: str, shifts: Mapping[str, Shift]) -> str:
    shift, spec = shifts[name], SPECS[name]
    return (
        f"{spec.label} moved from {format_metric(spec, shift.a)} to {format_metric(spec, shift.b)}"
        f" ({format_ratio(shift.ratio)})"
    )
