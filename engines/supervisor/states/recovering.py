"""Where a supervisor begins: the engine as one before it left it, or none yet."""

from __future__ import annotations

from engines.serving import registry
from engines.serving.start_watch import StartWatch
from engines.serving.started import started_as
from engines.supervisor.common.memory import InStop
from engines.supervisor.common.telling import tell_abandoned
from engines.supervisor.states.context import Context
from engines.supervisor.states.state import Loading, Recovering, Starting, State, Stopping
from engines.supervisor.states.unfinished import end_unfinished, end_unrecorded, name_swapped


def recover(context: Context, _: Recovering) -> State:
    """Follow the engine that a supervisor before this one left, finish its stop, or start one."""
    swap, under_way = context.memory.swap, context.memory.under_way
    tell_abandoned(context.db, context.launch, None if swap is None else swap.order.id)
    if swap is not None and swap.taken_over:
        name_swapped(context.launch.name)
    end_unrecorded(context)
    if isinstance(under_way, InStop):
        end_unfinished(context)
        return Stopping(under_way.drain_s)
    serving = registry.find_serving(context.launch.name)
    if serving is None:
        # A new engine that had not taken over still holds the memory that the old one needs.
        end_unfinished(context)
        return Starting()
    context.say(f"found process {serving.pid}, which runs already")
    engine = started_as(serving, log_only=context.launch.log_only)
    context.watch = StartWatch(engine, from_beginning=False)
    return Loading(engine)
