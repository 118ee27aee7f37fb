"""The overall verdict of a comparison, and the reasons a person should read beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from store.compare.effects import MIN_BLOCKS, Effect, Verdict
from store.compare.workload import MIX, RATE, Shift, moved_mix, rate_confounds, saturated
from store.metrics.formats import format_metric, format_ratio
from store.metrics.specs import SPECS

if TYPE_CHECKING:
    from store.compare.sides import Side

COST = "cost_per_request_usd"
ACTIVE_COST = "active_cost_per_request_usd"


def overall(
    a: Side, b: Side, effects: Mapping[str, Effect], shifts: Mapping[str, Shift]
) -> tuple[Verdict, list[str]]:
    """The verdict by cost per request, and why it is that.

    Where the request rate moved under an engine that was not saturated, active cost decides; where
    no price is known, the request rate of the same devices, to which cost is inverse.
    """
    reasons = _unreadable(a, b) or _other_requests(shifts)
    if reasons:
        return "not comparable", reasons
    reasons = _unknown_mix(shifts) + _moved_rate(shifts)
    name = _deciding(effects, shifts, a, b)
    if name is None:
        return "not comparable", [*reasons, "cost per request is not known"]
    if name == RATE:
        reasons.append("no price applies: judged by requests/s, to which cost is inverse")
    short_sides = [side for side in (a, b) if len(side.parts) < MIN_BLOCKS]
    if short_sides:
        return "too few blocks", [_too_few(side) for side in short_sides] + reasons
    verdict = effects[name].verdict
    if verdict is None:
        return "no difference shown", [*reasons, "too few requests for an interval"]
    return verdict, reasons + _hints(name, effects, shifts)


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
    return [
        f"{sentence} and the engine was not saturated: allocated cost follows the rate, so active "
        "cost per request decides (it still depends on how many requests run together)"
    ]


def _deciding(
    effects: Mapping[str, Effect], shifts: Mapping[str, Shift], a: Side, b: Side
) -> str | None:
    confounded = rate_confounds(shifts)
    name = ACTIVE_COST if confounded else COST
    if effects[name].a or effects[name].b:
        return name
    assert a.window is not None and b.window is not None  # _unreadable came first
    same_devices = {part.device for part in a.window.devices} == {
        part.device for part in b.window.devices
    }
    return RATE if same_devices and not confounded else None


def _too_few(side: Side) -> str:
    return f"{side.label} holds {len(side.parts)} usable blocks; a verdict needs {MIN_BLOCKS}"


def _hints(name: str, effects: Mapping[str, Effect], shifts: Mapping[str, Shift]) -> list[str]:
    hints = []
    if effects["failed_share"].verdict == "worse":
        failed = effects["failed_share"]
        spec = SPECS["failed_share"]
        hints.append(
            f"more requests fail: {format_metric(spec, failed.a)} → {format_metric(spec, failed.b)}"
        )
    active = effects[ACTIVE_COST].verdict
    if name == COST and active != effects[COST].verdict and not saturated(shifts):
        hints.append(
            f"the engine was not saturated, so allocated cost per request is the inverse of the "
            f"request rate; active cost per request: {active or 'not known'}"
        )
    return hints


def _shift_sentence(name: str, shifts: Mapping[str, Shift]) -> str:
    shift, spec = shifts[name], SPECS[name]
    return (
        f"{spec.label} moved from {format_metric(spec, shift.a)} to {format_metric(spec, shift.b)}"
        f" ({format_ratio(shift.ratio)})"
    )
