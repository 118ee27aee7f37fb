"""A comparison as text: the table of effects, the workload's shift, the verdict and its reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from app.text.clock import date_time
from app.text.durations import format_duration
from app.text.output import UNKNOWN, print_line, print_table
from store.foreign_text import printable
from store.records import format_value

if TYPE_CHECKING:
    from store.compare.comparison import Comparison, Effect, Shift
    from store.metrics.measure import MetricSpec
    from store.tables.snapshots import Snapshot


def print_effects(comparison: Comparison, a: str, b: str, only: Iterable[str] = ()) -> None:
    """The table of effects on stdout; with `only`, those metrics."""
    from store.metrics.measure import SPECS

    wanted = list(only) or list(comparison.metrics)
    print_table(
        [
            ("metric", "left"),
            (a, "right"),
            (b, "right"),
            ("difference", "right"),
            ("change", "right"),
            ("95 % interval", "right"),
            ("blocks", "right"),
            ("verdict", "left"),
        ],
        [effect_row(SPECS[name], comparison.metrics[name]) for name in wanted],
    )


def print_sides(a: Snapshot, b: Snapshot, engines: Mapping[int, str]) -> None:
    """What is compared: each snapshot's engine and window, and what was set otherwise in the other
    one. `engines` are names by id."""
    print_table(
        [("snapshot", "left"), ("engine", "left"), ("from", "left"), ("length", "right")],
        [
            (
                side.name,
                engines.get(side.engine_id, UNKNOWN),
                date_time(side.from_ms),
                format_duration((side.to_ms - side.from_ms) / 1000),
            )
            for side in (a, b)
        ],
    )
    differences = "; ".join(configuration_changes(a.configuration, b.configuration))
    print_line(f"set otherwise: {differences or 'nothing that is known'}")


def configuration_changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What differs between two configurations of snapshots, a phrase each."""
    knobs_a, knobs_b = a.get("knobs") or {}, b.get("knobs") or {}
    changes = [
        f"{name} {format_value(knobs_a.get(name))} to {format_value(knobs_b.get(name))}"
        for name in dict.fromkeys((*knobs_a, *knobs_b))
        if knobs_a.get(name) != knobs_b.get(name)
    ]
    changes += [
        f"{label} {_said(a.get(key))} to {_said(b.get(key))}"
        for key, label in (("model", "model"), ("vllm_version", "vLLM"))
        if a.get(key) != b.get(key)
    ]
    if a.get("arguments") != b.get("arguments"):
        changes.append("launch arguments (trimtab snapshots --json)")
    return changes


def _said(value: object) -> str:
    return UNKNOWN if value is None else printable(str(value))


def effect_row(spec: MetricSpec, effect: Effect) -> tuple[str, ...]:
    """One metric's cells: a, b, difference, ratio, interval of the difference, blocks, verdict."""
    from store.metrics.formats import format_difference, format_metric, format_ratio

    interval = UNKNOWN
    if effect.interval is not None:
        low, high = effect.interval
        interval = f"{format_difference(spec, low)} … {format_difference(spec, high)}"
    return (
        spec.label,
        format_metric(spec, effect.a),
        format_metric(spec, effect.b),
        format_difference(spec, effect.difference),
        format_ratio(effect.ratio),
        interval,
        f"{effect.blocks[0]} + {effect.blocks[1]}",
        effect.verdict or "",
    )


def comparison_lines(comparison: Comparison) -> list[str]:
    """The workload's shift, the verdict, and each reason: a line each."""
    return [
        f"workload: {workload_text(comparison)}",
        f"verdict: {comparison.verdict}",
        *(f"  {reason}" for reason in comparison.reasons),
    ]


def workload_text(comparison: Comparison) -> str:
    """How what was asked of the engine differs between the two windows, always said."""
    return ", ".join(_shift(name, shift) for name, shift in comparison.workload.items())


def _shift(name: str, shift: Shift) -> str:
    from store.metrics.formats import format_metric, format_ratio
    from store.metrics.measure import SPECS

    spec = SPECS[name]
    moved = " moved" if shift.moved else ""
    return (
        f"{spec.label} {format_metric(spec, shift.a)} to {format_metric(spec, shift.b)}"
        f" ({format_ratio(shift.ratio)}{moved})"
    )
