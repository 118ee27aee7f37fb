"""While an engine that somebody else started is restarted under this supervisor."""

from __future__ import annotations

from dataclasses import replace

from engines.supervisor.life.shared import Life
from engines.supervisor.life.states import Adopting, NotAdopted, Recovering, State


def adopt(life: Life, _: Adopting) -> State:
    """Take it over; it is found like one that a supervisor before this one left."""
    assert life.adoption is not None

    def say(step: str, text: str) -> None:
        life.say(f"adopt: {step}: {text}")

    def remember(pid: int, ticks: int) -> None:
        life.remember(replace(life.memory, given_back=(pid, ticks)))

    if life.memory.given_back is not None:
        life.adoption.follow_old(life.launch, life.memory.given_back, say)
        return NotAdopted()
    engine = life.adoption.run(life.launch, say, remember)
    if engine is None:
        return NotAdopted()
    life.remember(life.memory)
    return Recovering()
