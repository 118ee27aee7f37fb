"""A comparison as text: the table of effects, the workload's shift, the verdict and its reasons."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.text.output import UNKNOWN, print_table

if TYPE_CHECKING:
    from store.compare.comparison import Comparison, Effect, Shift
    from store.metrics.measure import MetricSpec


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
