"""While an engine that somebody else started is restarted under this supervisor."""

from __future__ import annotations

from dataclasses import replace

from engines.supervisor.common.memory import GivenBack
from engines.supervisor.common.telling import tell_start
from engines.supervisor.states.context import Context
from engines.supervisor.states.state import Adopting, NotAdopted, Recovering, State
from engines.supervisor.states.stopping import write_down_again


def adopt(context: Context, _: Adopting) -> State:
    """Take it over; it is found like one that a supervisor before this one left."""
    assert context.adoption is not None

    def say(step: str, text: str) -> None:
        context.say(f"adopt: {step}: {text}")

    def remember(pid: int, ticks: int) -> None:
        context.remember(replace(context.memory, under_way=GivenBack(pid, ticks)))

    under_way = context.memory.under_way
    if isinstance(under_way, GivenBack):
        context.adoption.follow_old(context.launch, (under_way.pid, under_way.start_ticks), say)
        return NotAdopted()
    engine = context.adoption.run(
        context.launch, say, remember, lambda: context.requests.drain_s is not None
    )
    if engine is None:
        return NotAdopted()
    context.remember(context.memory)
    context.engine = engine
    if context.adoption.start_times is not None:
        tell_start(context.db, context.launch, context.adoption.start_times, beside=False)
    write_down_again(context)  # one that is not found would be started a second time
    return Recovering()
