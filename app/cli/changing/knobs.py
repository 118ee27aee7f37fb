"""trimtab knobs"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.shared.options import api_key_option, command, common, engine_option
from app.text.durations import format_duration
from app.text.output import print_json, print_table, say
from store.knobs.bounds import bounds_text
from store.knobs.specs import spec_of
from store.records import format_value

if TYPE_CHECKING:
    from store.records import KnobState


@command("knobs")
@engine_option
@api_key_option
@common
def command_(*, engine: str | None, api_key: str | None, as_json: bool, db: Path | None) -> None:
    """List the knobs of an engine with kind, value, value at start, bounds and label.

    A `live` knob changes between two steps of the running engine; a `swap` knob needs a new engine.
    """
    from app.acts.knobs import control_of
    from app.cli.shared.choose import engine_to_turn
    from engines.control.knobs import read_knobs

    del db
    chosen = engine_to_turn(engine, api_key)
    states = read_knobs(control_of(chosen))
    if as_json:
        print_json([knob_json(state) for state in states])
        return
    print_table(
        [
            ("knob", "left"),
            ("kind", "left"),
            ("value", "right"),
            ("start", "right"),
            ("bounds", "left"),
            ("label", "left"),
        ],
        [
            (
                state.name,
                state.kind,
                format_value(state.value),
                format_value(state.start),
                bounds_text(state),
                _in_words(state),
            )
            for state in states
        ],
    )
    say(f"{chosen.life.name}: trimtab set KNOB=VALUE changes one, trimtab undo takes it back")


def _in_words(state: KnobState) -> str:
    """Label, unit and what to mind in one column: names are long, and terminals narrow."""
    spec = spec_of(state.name)
    label = f"{spec.label} ({spec.unit})" if spec.unit else spec.label
    if state.lease_left_s is not None:
        label += f", falls back in {format_duration(round(state.lease_left_s))}"
    return f"{label}: {state.reason}" if state.reason else label


def knob_json(state: KnobState) -> dict[str, object]:
    """One knob as scripts read it."""
    spec = spec_of(state.name)
    return {
        "name": state.name,
        "kind": state.kind,
        "value": state.value,
        "start": state.start,
        "minimum": state.minimum,
        "maximum": state.maximum,
        "reason": state.reason,
        "lease_left_s": state.lease_left_s,
        "label": spec.label,
        "unit": spec.unit,
        "summary": spec.summary,
    }
