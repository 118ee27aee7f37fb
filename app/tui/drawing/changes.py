"""A change, and the variant a swap went to, in words for the screen."""

from __future__ import annotations

from store.knobs.specs import label, spec_of
from store.records import AS_STARTED, VARIANT, Change, KnobValue, format_value


def variant_name(name: str) -> str:
    """A variant as people call it."""
    return "as started" if name == AS_STARTED else name


def short(change: Change) -> str:
    """A change in one or two words, for a mark on a chart."""
    value = _value(change.knob, change.to_value)
    return value if change.knob == VARIANT else f"{spec_of(change.knob).short} {value}"


def moved(change: Change) -> str:
    """A change as from and to: batch size 8 → 32."""
    before, after = (_value(change.knob, value) for value in (change.from_value, change.to_value))
    return f"{label(change.knob)} {before} → {after}"


def _value(knob: str, value: KnobValue | str | None) -> str:
    shown = format_value(value)
    return variant_name(shown) if knob == VARIANT else shown
