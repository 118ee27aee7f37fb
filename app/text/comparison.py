"""A comparison as text, at 80 columns: what is compared, the table of effects, one sentence of
conclusion, the workload's shift and the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from app.text.clock import date_time
from app.text.durations import format_duration
from app.text.effects import bare, change_text, interval_text
from app.text.outlook import outlook
from app.text.output import UNKNOWN, print_line, print_table
from store.foreign_text import printable
from store.records import format_value

if TYPE_CHECKING:
    from store.compare.comparison import Comparison, Effect, Shift
    from store.metrics.measure import MetricSpec
    from store.tables.snapshots import Snapshot

WIDTH = 80
_NAME_WIDTH = 10
_NO_BREAK = "\N{NO-BREAK SPACE}"
_VERDICTS = {
    "no difference shown": "not shown",
    "not comparable": "unlike",
    "too few blocks": "too short",
}
"""A verdict in the table, where a long one would not fit."""


def print_effects(comparison: Comparison, a: str, b: str, only: Iterable[str] = ()) -> None:
    """The table of effects on stdout; with `only`, those metrics, else all that say something of a
    second or a request: totals of windows that differ in length would not."""
    from store.metrics.measure import SPECS

    wanted = list(only) or [
        name
        for name, effect in comparison.metrics.items()
        if SPECS[name].kind != "total" and not effect.a is effect.b is None
    ]
    print_table(
        [
            ("metric", "left"),
            (_short(a), "right"),
            (_short(b), "right"),
            ("change", "right"),
            ("interval", "right"),
            ("verdict", "left"),
        ],
        [effect_row(SPECS[name], comparison.metrics[name]) for name in wanted],
        dense=True,
    )


def print_sides(a: Snapshot, b: Snapshot, engines: Mapping[int, str]) -> None:
    """What is compared: each side's engine and window, and what was set otherwise in the other
    one. `engines` are names by id."""
    print_table(
        [("side", "left"), ("engine", "left"), ("from", "left"), ("length", "right")],
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
    _print_wrapped(f"set otherwise: {differences or 'nothing that is known'}")


def print_comparison(comparison: Comparison) -> None:
    """The conclusion, the workload and each reason, on stdout, wrapped."""
    for line in comparison_lines(comparison):
        _print_wrapped(line)


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


def effect_row(spec: MetricSpec, effect: Effect) -> tuple[str, ...]:
    """One metric's cells: a, b, change, interval of the change, verdict."""
    from store.metrics.formats import format_metric

    return (
        spec.label.replace(" tokens/", " tok/"),
        bare(spec.name, format_metric(spec, effect.a)),
        bare(spec.name, format_metric(spec, effect.b)),
        change_text(spec.name, effect),
        interval_text(spec.name, effect),
        _VERDICTS.get(effect.verdict or "", effect.verdict or ""),
    )


def comparison_lines(comparison: Comparison) -> list[str]:
    """The conclusion, the workload's shift, and each reason: a line each."""
    return [
        f"verdict: {comparison.verdict}",
        f"  {conclusion(comparison)}",
        *(f"  {phrase}" for phrase in outlook(comparison)),
        f"workload: {workload_text(comparison)}",
        *(f"  {reason}" for reason in comparison.reasons),
    ]


def conclusion(comparison: Comparison) -> str:
    """One sentence: what decides, by how much it differs, and how sure that is."""
    from store.metrics.formats import format_metric, format_ratio
    from store.metrics.measure import SPECS

    before, after = (note.span.label or "the window" for note in comparison.windows)
    name = comparison.deciding
    if name is None:
        return f"nothing tells what {after} costs beside {before}"
    spec, effect = SPECS[name], comparison.metrics[name]
    sentence = (
        f"{spec.label} went from {format_metric(spec, effect.a)} in {before} to "
        f"{format_metric(spec, effect.b)} in {after} ({change_text(name, effect)}"
    )
    interval = interval_text(name, effect)
    if interval and effect.level is not None:
        looks = ", at every look" if comparison.at_every_look else ""
        sentence += f", {100 * effect.level:.0f} % interval {interval}{looks}"
    adjusted = comparison.adjusted_ratio
    if adjusted is not None and effect.ratio and abs(adjusted / effect.ratio - 1) > 0.01:
        sentence += f"; {format_ratio(adjusted)} for requests that ask for as much"
    return sentence + ")"


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


def _said(value: object) -> str:
    return UNKNOWN if value is None else printable(str(value))


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _print_wrapped(text: str) -> None:
    indent = " " * (len(text) - len(text.lstrip()))
    unbroken = text.replace(" %", f"{_NO_BREAK}%")
    for row in wrap(unbroken, WIDTH, subsequent_indent=indent + "  "):
        print_line(row.replace(_NO_BREAK, " "))
