"""What the screen calls the knobs: vLLM's names are right, and too long for a tile."""

from __future__ import annotations

from collections.abc import Iterable

from store.records import Change, KnobState, format_value

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


def in_order(knobs: Iterable[KnobState]) -> tuple[KnobState, ...]:
    """The knobs people know first, in the order of their keys."""
    places = {name: place for place, name in enumerate(LABELS)}
    return tuple(sorted(knobs, key=lambda knob: (places.get(knob.name, len(places)), knob.name)))


def label(knob: str) -> str:
    """The knob in words; an unknown one keeps its own name."""
    return LABELS.get(knob, knob)


def short(change: Change) -> str:
    """A change in one or two words, for a mark on a chart."""
    return f"{_SHORT.get(change.knob, change.knob)} {format_value(change.to_value)}"


def moved(change: Change) -> str:
    """A change as from and to: batch size 8 → 32."""
    return (
        f"{label(change.knob)} {format_value(change.from_value)} → {format_value(change.to_value)}"
    )
