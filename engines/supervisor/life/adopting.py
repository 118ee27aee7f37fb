"""While an engine that somebody else started is restarted under this supervisor."""

from __future__ import annotations

from engines.supervisor.life.shared import Life
from engines.supervisor.life.states import Adopting, NotAdopted, Recovering, State


def adopt(life: Life, _: Adopting) -> State:
    """Take it over; it is found like one that a supervisor before this one left."""
    assert life.adoption is not None
    engine = life.adoption.run(life.launch, lambda step, text: life.say(f"adopt: {step}: {text}"))
    if engine is None:
        return NotAdopted()
    life.remember(life.memory)
    return Recovering()
