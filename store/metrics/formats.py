"""Metric values as text: short, with a unit, never NaN and never a rounded-away 0.

Three significant digits without an exponent ($0.0000123); SI steps above a thousand (1.2 k tok/s);
a bound keeps its sign (<0.3 s); what nobody knows is a dash.
"""

from __future__ import annotations

import math
from decimal import Decimal

from store.metrics.measure import MetricValue
from store.metrics.quantiles import LessThan, MoreThan
from store.metrics.specs import MetricSpec

MISSING = "\N{EN DASH}"
_ROUNDS_TO_1 = 0.9995
_MINUS, _TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
_SI_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY_STEPS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def format_metric(spec: MetricSpec, value: MetricValue) -> str:
    """One value of a metric with its unit."""
    if isinstance(value, LessThan):
        return f"<{value.seconds:g} s"
    if isinstance(value, MoreThan):
        return f">{value.seconds:g} s"
    if value is None or not math.isfinite(value):
        return MISSING
    sign = _MINUS if value < 0 else ""
    return sign + _magnitude(spec, abs(value))


def format_difference(spec: MetricSpec, value: float | None) -> str:
    """A difference of two values, always with its sign; shares differ in percentage points."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    text = _magnitude(spec, abs(value))
    if spec.style == "share":
        text = text.removesuffix("%") + "pp"
    return (_MINUS if value < 0 else "+") + text


def format_ratio(ratio: float | None) -> str:
    """A ratio after ÷ before as a change in percent, or as a multiple from a doubling up."""
    if ratio is None or not math.isfinite(ratio):
        return MISSING
    if ratio >= 2:
        return f"{_TIMES}{three_digits(ratio)}"
    percent = 100 * (ratio - 1)
    if percent == 0:
        return "0 %"
    return f"{_MINUS if percent < 0 else '+'}{three_digits(abs(percent))} %"


def three_digits(value: float) -> str:
    """A number to three significant digits without an exponent; whole from a hundred up."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return format(Decimal(f"{value:.3g}"), "f")


def format_bytes(amount: float) -> str:
    """An amount of memory in binary units: `2.5 GiB`."""
    for factor, unit in _BINARY_STEPS:
        if amount >= factor:
            return f"{three_digits(amount / factor)} {unit}"
    return f"{three_digits(amount)} B"


def _magnitude(spec: MetricSpec, value: float) -> str:
    if spec.style == "usd":
        return "$" + _scaled(value)
    if spec.style == "share":
        return f"{three_digits(100 * value)} %"
    if spec.style == "seconds":
        if 0 < value < _ROUNDS_TO_1:
            return f"{three_digits(1000 * value)} ms"
        return f"{three_digits(value)} s"
    if spec.style == "bytes":
        return format_bytes(value)
    if spec.style == "count" and value == int(value):
        return f"{value:,.0f} {spec.unit}".rstrip()
    return f"{_scaled(value)} {spec.unit}".rstrip()


def _scaled(value: float) -> str:
    for factor, prefix in _SI_STEPS:
        if value >= factor:
            return f"{three_digits(value / factor)} {prefix}"
    return three_digits(value)
