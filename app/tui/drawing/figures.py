"""Figures as they stand on the screen: a number, a quiet unit; labels of a scale.

Values are formatted by store.metrics.formats, as everywhere; here they are only taken apart.
"""

from __future__ import annotations

from typing import NamedTuple

from store.metrics.formats import MISSING, format_metric
from store.metrics.measure import SPECS, MetricValue

__all__ = ["MISSING", "Figure", "brief", "figure", "tick"]

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


class Figure(NamedTuple):
    """A number and its unit, both ready to print; the unit may be empty."""

    number: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.number} {self.unit}".rstrip()


def figure(name: str, value: MetricValue) -> Figure:
    """The metric `name` as a figure; MISSING where the value is unknown."""
    number, _, unit = format_metric(SPECS[name], value).partition(" ")
    return Figure(number, unit)


def brief(name: str, value: MetricValue) -> Figure:
    """The metric `name` in few cells, for a line that holds several: $4.1µ, 1.18k, 412ms."""
    spec = SPECS[name]
    if spec.style == "usd" and isinstance(value, int | float):
        return Figure(tick(name, value))
    number, unit = figure(name, value)
    return Figure(number, unit.removesuffix(spec.unit).strip() if spec.style == "rate" else unit)


def tick(name: str, value: float) -> str:
    """A scale's label in at most six cells: 0, 50%, 250, 2.5k, $5µ."""
    if value == 0:
        return "0"
    style = SPECS[name].style
    if style == "share":
        return f"{100 * value:g}%"
    factor, prefix = next((pair for pair in _PREFIXES if value >= 0.999 * pair[0]), _PREFIXES[-1])
    return f"{'$' if style == 'usd' else ''}{value / factor:.3g}{prefix}"
