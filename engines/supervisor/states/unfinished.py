"""What a swap leaves behind whose supervisor was killed: its engines, their names, its row."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from engines.serving import names, registry, stopping
from engines.supervisor.common.telling import tell_interrupted
from engines.supervisor.states.context import Context
from store.errors import TrimtabError
from store.reports.outcomes import DONE
from store.reports.swap import ROLLED_BACK


def name_swapped(name: str) -> None:
    """Give the engine that has taken over the name of the one before, and that one another."""
    for candidate in names.candidate_names(name):
        if registry.find_serving(candidate) is None:
            continue
        if registry.find_serving(name) is not None:
            registry.rename(name, names.leaving_name(name))
        registry.rename(candidate, name)


def end_unfinished(context: Context) -> None:
    """End what a swap has left whose supervisor was killed: the new engine where it had not taken
    over, else the old one."""
    name = context.launch.name
    for left_name in (*names.candidate_names(name), names.leaving_name(name)):
        if registry.find_serving(left_name) is None:
            continue
        context.say(f"a killed supervisor left a swap unfinished: ending {left_name}")
        with contextlib.suppress(TrimtabError):
            stopping.stop(left_name, drain_s=stopping.DRAIN_S)


def tell_unfinished(context: Context) -> None:
    """Say what became of the swap in which the supervisor before this one was killed."""
    order = context.memory.swapping
    if order is None:
        return
    outcome, reason = ROLLED_BACK, "its supervisor was killed in the midst"
    if context.memory.taken_over:
        outcome, reason = DONE, ""
    # First: should the order be what broke that supervisor, it breaks one more at the most.
    context.remember(replace(context.memory, swapping=None, taken_over=False))
    context.swap = tell_interrupted(order, context.launch, outcome, reason)
