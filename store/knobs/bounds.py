"""Which values a knob takes, as its engine tells it: in words, and for a value at hand."""

from __future__ import annotations

from store.knobs.specs import spec_of
from store.records import KnobState, format_value


def bounds_text(knob: KnobState) -> str:
    """`on or off`, `1 to 32`, `at least 1`, `at most 32`; – where the engine does not tell."""
    if isinstance(knob.value, bool) or isinstance(knob.start, bool):
        return "on or off"
    return _span(knob.minimum, knob.maximum)


def bounds_with_unit(knob: KnobState) -> str:
    """The same with what is counted: `1 to 32 requests`."""
    words = bounds_text(knob)
    unit = spec_of(knob.name).unit
    return f"{words} {unit}" if unit and words != format_value(None) else words


def violation(knob: KnobState, value: int) -> str:
    """The bound that `value` breaks, in words; '' where it is within."""
    if knob.minimum is not None and value < knob.minimum:
        return _span(knob.minimum, None)
    if knob.maximum is not None and value > knob.maximum:
        return _span(None, knob.maximum)
    return ""


def _span(minimum: int | None, maximum: int | None) -> str:
    if minimum is not None and maximum is not None:
        return f"{minimum} to {maximum}"
    if minimum is not None:
        return f"at least {minimum}"
    return format_value(None) if maximum is None else f"at most {maximum}"
