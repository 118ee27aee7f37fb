"""What the screen calls the knobs: vLLM's names are right, and too long for a tile."""

from __future__ import annotations

from collections.abc import Iterable

from store.records import VARIANT, Change, KnobState, KnobValue, format_value

LABELS = {
    "enable_prefix_caching": "prefix caching",
    "max_num_seqs": "batch size",
    "max_num_batched_tokens": "token budget",
    "long_prefill_token_threshold": "long prefill",
}
_SHORT = {
    "enable_prefix_caching": "cache",
    "max_num_seqs": "batch",
    "max_num_batched_tokens": "budget",
    "long_prefill_token_threshold": "prefill",
}
_AS_STARTED = "start"
"""What a supervisor calls the variant of an engine that was never swapped."""


def in_order(knobs: Iterable[KnobState]) -> tuple[KnobState, ...]:
    """The knobs people know first, in the order of their keys."""
    places = {name: place for place, name in enumerate(LABELS)}
    return tuple(sorted(knobs, key=lambda knob: (places.get(knob.name, len(places)), knob.name)))


def label(knob: str) -> str:
    """The knob in words; an unknown one keeps its own name."""
    return LABELS.get(knob, knob)


def variant_name(name: str) -> str:
    """A variant as people call it."""
    return "as started" if name == _AS_STARTED else name


def short(change: Change) -> str:
    """A change in one or two words, for a mark on a chart."""
    value = _value(change.knob, change.to_value)
    return value if change.knob == VARIANT else f"{_SHORT.get(change.knob, change.knob)} {value}"


def moved(change: Change) -> str:
    """A change as from and to: batch size 8 → 32."""
    before, after = (_value(change.knob, one) for one in (change.from_value, change.to_value))
    return f"{label(change.knob)} {before} → {after}"


def _value(knob: str, value: KnobValue | str | None) -> str:
    shown = format_value(value)
    return variant_name(shown) if knob == VARIANT else shown
