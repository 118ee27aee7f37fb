"""What it takes to put a running engine under a supervisor, or why that cannot be."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from engines.adoption.origin import Origin, read_environ, read_origin
from engines.adoption.ownership import Refusal, refusal
from engines.command_line.arguments import read_arguments
from engines.command_line.flags import cut
from engines.control.inside_path import plugin_environment
from engines.discovery.location import locate
from engines.engine_info import EngineInfo
from engines.host.priority import NICE
from engines.host.processes import EngineTree, engine_trees, serve_arguments
from engines.host.procfs import Process, ancestors
from engines.launch.free_name import free_name
from engines.launch.launch import Launch
from engines.serving import registry
from engines.serving.names import base_name
from engines.serving.registry import Serving
from engines.supervisor.takeover.sockets import Held, why_not_beside
from engines.supervisor_client.client import supervised_as
from engines.supervisor_client.orphaned import is_orphaned
from store.errors import NotAchieved

_PART_OF_MORE = {
    "headless": "--headless: it serves nothing by itself",
    "data-parallel-rank": "it is one rank of a data-parallel deployment",
    "data-parallel-start-rank": "it is one node of a data-parallel deployment",
    "data-parallel-external-lb": "it is one rank of a data-parallel deployment",
    "data-parallel-hybrid-lb": "it is one node of a data-parallel deployment",
    "node-rank": "it is one node of several",
}
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "fish", "ksh"})


class Refused(NotAchieved):
    """The engine is not ours to restart; `advice` is what to add where it belongs, line by line."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(
            refusal.what, refusal.why, "; ".join(line.strip() for line in refusal.advice)
        )
        self.advice = refusal.advice


@dataclass(frozen=True, slots=True)
class AdoptionPlan:
    """How an engine is adopted. `launch` is what its supervisor is given. `restarts` is False for
    an engine of trimtab's that lost its keeper: it is taken over as it runs. `why_refused` says why
    connections are refused meanwhile, '' where they wait. `script` is what started it, where that
    may start it again."""

    launch: Launch = field(repr=False)
    origin: Origin
    held: Held
    restarts: bool
    why_refused: str = ""
    script: Process | None = None
    serving: Serving | None = None


def plan_adoption(engine: EngineInfo, name: str | None, db: Path | None) -> AdoptionPlan:
    """The plan for an engine as discovery found it; `name` is what to call it.

    Raises `NotAchieved` where it cannot be adopted, its subclass `Refused` where it belongs to
    somebody else, `BadInput` for a name that is taken.
    """
    tree = _tree(engine)
    pid = tree.root.pid
    serving = next((serving for serving in registry.list_serving() if serving.pid == pid), None)
    if serving is not None and is_orphaned(serving):
        old_name = base_name(serving.name)
        called = old_name if name in (None, old_name) else free_name(name, engine.name)
        return _as_it_runs(serving, called, _held(tree), db)
    reason = refusal(pid, tree.launch or (), read_environ(pid) or {})
    if reason is not None:
        raise Refused(reason)
    held = _held(tree)
    origin = read_origin(pid)
    _check_alone(origin, tree)
    launch = Launch(
        name=free_name(name, engine.name),
        model=engine.model or engine.name,
        command=origin.command,
        environ={**origin.environ, **plugin_environment(origin.environ)},
        address=(held.host, held.port),
        url=engine.url,
        log_only=read_arguments(tree.launch or ()).tls,
        db=None if db is None else str(db.absolute()),
        directory=origin.directory,
    )
    return AdoptionPlan(launch, origin, held, True, why_not_beside(held), _script(tree.root))


def _as_it_runs(serving: Serving, name: str, held: Held, db: Path | None) -> AdoptionPlan:
    """The plan for an engine of ours that lost its keeper, to be called `name` from now on: its
    launch, read back from itself."""
    origin = read_origin(serving.pid)
    nice = origin.conditions.nice
    launch = Launch(
        name=name,
        model=serving.model,
        command=origin.command,
        environ=origin.environ,
        address=(held.host, held.port),
        url=serving.url,
        cores=serving.cores,
        log_only=read_arguments(serve_arguments(origin.command) or ()).tls,
        gives_way=nice == NICE,
        variant=serving.variant,
        swap_id=serving.swap_id,
        db=None if db is None else str(db.absolute()),
        directory=origin.directory,
    )
    # It gives way by itself, its supervisor must not.
    supervisor_nice = os.getpriority(os.PRIO_PROCESS, 0) if nice == NICE else nice
    conditions = replace(origin.conditions, nice=supervisor_nice)
    return AdoptionPlan(
        launch, replace(origin, conditions=conditions), held, False, serving=serving
    )


def _tree(engine: EngineInfo) -> EngineTree:
    if engine.pid is None:
        raise NotAchieved(f"{engine.name} cannot be adopted", engine.reason)
    if (supervised := supervised_as(engine.pid)) is not None:
        raise NotAchieved(
            f"{supervised} is under trimtab's supervisor already", "", "`trimtab swap` changes it"
        )
    tree = next((tree for tree in engine_trees() if tree.root.pid == engine.pid), None)
    if tree is None:
        raise NotAchieved(f"{engine.name} has ended")
    if tree.launch is None:
        raise NotAchieved(
            f"{engine.name} cannot be adopted",
            "vLLM runs inside another program, whose command line is not vLLM's",
            "start it by `trimtab serve` instead",
        )
    return tree


def _held(tree: EngineTree) -> Held:
    """The socket of an engine's address; raises `NotAchieved` where it has none of ours to take."""
    pid = tree.root.pid
    location = locate(tree)
    if location is None or not location.listeners:
        problem = location.problem if location is not None else "it serves no address by itself"
        raise NotAchieved(
            f"PID {pid} cannot be adopted", problem or "its listening socket cannot be seen"
        )
    listener = location.listeners[0]
    pids = (pid, *(server.pid for server in tree.api_servers))
    return Held(pids, listener.inode, listener.address, listener.port)


def _check_alone(origin: Origin, tree: EngineTree) -> None:
    """Raise `NotAchieved` for one part of a deployment that is more than this command."""
    names = {flag.name: flag.words for flag in cut(tree.launch or ())}
    reason = next((reason for name, reason in _PART_OF_MORE.items() if name in names), None)
    executors = (
        names.get("distributed-executor-backend", ()),
        names.get("data-parallel-backend", ()),
    )
    on_ray = any("ray" in " ".join(words).lower() for words in executors)
    if on_ray or any(name.startswith("RAY_JOB_") for name in origin.environ):
        reason = "Ray runs it: its workers are started, and ended, elsewhere"
    if reason is not None:
        raise NotAchieved(
            f"PID {tree.root.pid} cannot be adopted", reason, "restart the whole by `trimtab serve`"
        )


def _script(root: Process) -> Process | None:
    """The script that started it, as far as one can be told from a person's shell."""
    parents = list(ancestors(root.pid))[1:2]
    if not parents or parents[0].pid == 1:
        return None
    words = parents[0].arguments
    is_shell = bool(words) and Path(words[0]).name.lstrip("-") in _SHELLS
    return parents[0] if is_shell and any(word[:1] != "-" for word in words[1:]) else None
