"""The engine that is to take over: how it is started, asked and ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engines.command_line.arguments import read_arguments
from engines.control.api_front import Front, front_path
from engines.control.plugin_sockets import plugin_control
from engines.control.wire import ControlLost
from engines.host import lifetime
from engines.host.cores import available_cores, binding, choose_cores, is_ours
from engines.host.processes import engine_trees
from engines.launch.command import take_secrets
from engines.launch.launch import Launch
from engines.serving import names, stopping
from engines.serving.start_watch import Phase, StartTimes
from engines.serving.started import Started
from engines.serving.startup import wait_healthy
from engines.variants.merge import merged_arguments
from engines.variants.variant import Variant
from store.errors import NotAchieved

if TYPE_CHECKING:
    from collections.abc import Sequence

FRONT_S = 30.0
_POLL_S = 0.05


def launch_of(current: Launch, variant: Variant) -> Launch:
    """The variant's launch: the current command and environment, changed by the variant."""
    arguments, secrets = take_secrets(merged_arguments(current.arguments, variant))
    return replace(
        current,
        command=(*current.command[: current.serve_at + 1], *arguments),
        environ={**current.environ, **variant.environment, **secrets},
        variant=variant.name,
    )


def variant_of(launch: Launch) -> Variant:
    """A launch as the variant that it is, to be shown and estimated."""
    arguments = launch.arguments
    model = read_arguments(arguments).model or launch.model
    options = arguments[1:] if arguments[:1] == (model,) else arguments
    return Variant(launch.variant, model, options, launch.environ, "start")


def as_candidate(launch: Launch, current: Launch, log: Path, *, beside: bool) -> Launch:
    """A launch under a name of its own, to take over from `current`.

    `log` is that of the engine that runs, which the new one must not write to. With `beside` a CPU
    engine is bound to other cores, as both run for a while.
    """
    environ: Mapping[str, str] = launch.environ
    cores = launch.cores
    if beside and {*cores} & {*current.cores} and is_ours(environ):
        cores = choose_cores(available_cores(), {*current.cores})
        environ = {**environ, **binding(cores)}
    name = next(name for name in names.candidate_names(current.name) if name != log.stem)
    return replace(launch, name=name, environ=environ, cores=cores)


class Candidate:
    """A started engine that is reached by sockets of its own, not by the address."""

    def __init__(self, started: Started) -> None:
        self.started = started

    @property
    def front(self) -> Front:
        """Its front, which lies where it found a place for it when it opened it."""
        return Front(front_path(self.started.pid, os.geteuid()))

    def wait_healthy(
        self,
        seconds: float,
        on_phase: Callable[[Phase], None],
        *,
        stalled_s: float | None = None,
    ) -> StartTimes:
        """Until it has started and can be asked over its own socket; raises `NotAchieved`, and
        `ControlLost` where its front does not come."""
        # It may not be asked at the address, which is another engine's.
        started = replace(self.started, log_only=True)
        times = wait_healthy(started, seconds, on_phase, stalled_s=stalled_s)
        self._wait_for_front()
        return times

    def _wait_for_front(self) -> None:
        """Its log says that it has started a moment before its front opens; on a busy host that is
        a long one."""
        until = time.monotonic() + FRONT_S
        while True:
            try:
                self.front.state()
            except ControlLost:
                is_alive = lifetime.is_alive(self.started.pid, self.started.start_ticks)
                if time.monotonic() >= until or not is_alive:
                    raise
                time.sleep(_POLL_S)
            else:
                return

    def knob_sockets(self) -> Sequence[Path]:
        """Where its live knobs are set."""
        tree = next((tree for tree in engine_trees() if tree.root.pid == self.started.pid), None)
        return () if tree is None else plugin_control(tree).sockets

    def end(self, drain_s: float, on_wait: Callable[[str], None] | None = None) -> None:
        """Stop it, its requests first; nothing if it has ended. Raises `WillNotGo`."""
        try:
            stopping.stop(self.started.name, drain_s=drain_s, on_wait=on_wait)
        except stopping.WillNotGo:
            raise
        except NotAchieved:
            stopping.end_orphans(self.started.name)
