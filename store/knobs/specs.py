"""Every knob that some engines can turn live: name, label, unit and meaning, in order of display.

To add one: an entry here; what it reads and writes in
`engines/inside/trimtab_inside/live_knobs/knobs.py`; where it is offered in `offered_knobs.py`
beside it, in the order of this list; its key in `app/tui/keys/main_screen.py`. Which values it
takes is not said here: each engine tells its own bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from store.records import KnobState


@dataclass(frozen=True, slots=True)
class KnobSpec:
    """One knob, as the screen, the command line and JSON call it.

    `name` is vLLM's own argument in snake case, `label` what its documentation calls it, `short`
    one word for where there is no room: a mark on a chart, a key's hint. `unit` is what its number
    counts, in the plural; a switch has none. `off` is what a switch's off, or the number 0, does
    where that is no matter of course.
    """

    name: str
    type: Literal["switch", "number"]
    label: str
    short: str
    unit: str
    summary: str
    off: str = ""


KNOBS: Mapping[str, KnobSpec] = {
    spec.name: spec
    for spec in (
        KnobSpec(
            "enable_prefix_caching",
            "switch",
            "prefix caching",
            "cache",
            "",
            "answer the part of a prompt that was seen before from the KV cache",
            "off computes every prompt anew",
        ),
        KnobSpec(
            "max_num_seqs",
            "number",
            "batch size",
            "batch",
            "requests",
            "how many requests may run at once; the others wait",
        ),
        KnobSpec(
            "max_num_batched_tokens",
            "number",
            "token budget",
            "budget",
            "tokens",
            "how many prompt and output tokens one step may process",
        ),
        KnobSpec(
            "long_prefill_token_threshold",
            "number",
            "long prefill threshold",
            "prefill",
            "tokens",
            "how many tokens of one prompt go into a step beside other requests",
            "0 is no cap",
        ),
    )
}


def spec_of(name: str) -> KnobSpec:
    """What is known of a knob; one that a newer engine tells of goes by its own name."""
    return KNOBS.get(name) or KnobSpec(name, "number", name, name, "", "")


def label(name: str) -> str:
    """The knob in words."""
    return spec_of(name).label


def in_order(knobs: Iterable[KnobState]) -> tuple[KnobState, ...]:
    """In the order of the table; those it does not know come last, by name."""
    ranks = {name: rank for rank, name in enumerate(KNOBS)}
    return tuple(sorted(knobs, key=lambda knob: (ranks.get(knob.name, len(ranks)), knob.name)))
