"""While a swap runs: what it is given, and what is kept of it at each step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from engines.launch.launch import Launch
from engines.serving.started import Started
from engines.supervisor.common.memory import InSwap
from engines.supervisor.common.telling import tell_change, tell_swap
from engines.supervisor.states.context import Context
from engines.supervisor.states.state import Serving, State, Swapping
from engines.supervisor.states.stopping import write_down_again
from engines.supervisor.states.unfinished import name_swapped
from engines.supervisor.swap.swap import Swap, Wiring
from engines.supervisor_client.swap_order import Order
from store.reports.swap import SwapReport


def run_swap(context: Context, state: Swapping, enter: Callable[[State], None]) -> State:
    """Do it, or leave things as they were; `enter` makes a state the present one at once."""
    order = state.order
    write_down_again(context)
    context.requests.order = None  # only now, when a second one is refused for the state's sake
    context.remember(replace(context.memory, under_way=InSwap(order)))
    before = context.memory.before[-1] if order.variant is None else None

    def tell(report: SwapReport, text: str) -> None:
        context.swap = report
        context.say(f"swap: {text}", quiet=True)
        tell_swap(order.db, context.launch, report, text)

    def taken_over(launch: Launch, running: Started, elapsed_s: float) -> None:
        _take_over(context, order, launch, running, elapsed_s)

    def interrupted() -> Literal["", "stop", "call off"]:
        if context.requests.drain_s is not None:
            return "stop"
        return "call off" if context.requests.call_off else ""

    wiring = Wiring(context.listener, tell, interrupted, taken_over)
    swap = Swap(order, (context.launch, state.engine), wiring, before=before)
    context.swap = swap.report
    context.engine = running = swap.run()
    context.remember(context.memory.swap_finished())
    context.requests.call_off = False
    context.serving_since = time.monotonic()
    after = Serving(running)
    enter(after)  # whoever follows the swap may act on the engine once its end is told
    swap.close()
    return after


def _take_over(
    context: Context, order: Order, launch: Launch, running: Started, elapsed_s: float
) -> None:
    """From now on the new engine is the engine."""
    old = context.launch
    # The keeper knows first: when this supervisor is killed the next one finishes the swap.
    context.remember(context.memory.swapped_to(launch))
    write_down_again(context)  # else the old engine would not be found, and never be ended
    context.engine = running
    name_swapped(context.launch.name)
    undoes = old.swap_id if order.variant is None else None
    tell_change(order, old, launch, elapsed_s, undoes)
