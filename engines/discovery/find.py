"""Engines: those of this machine found from /proc, and any other by its address.

find_engines()    every vLLM API server on this machine that can be seen
probe(url)        the engine at an address, joined with its local process if it has one
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

from engines.command_line.flags import cut
from engines.control.plugin_sockets import PluginControl, confirm, plugin_control
from engines.devices import gpus
from engines.devices.joining.holding import Asked
from engines.discovery import naming
from engines.discovery.answers import Answer, Question, ask_all
from engines.discovery.local import (
    arguments_of,
    known_url,
    local_engines,
    located_at,
    model_of,
    own_engines,
)
from engines.discovery.location import Location
from engines.engine_info import EngineInfo
from engines.held_gpus import NOTHING_STATED, Holding, StatedGpus
from engines.host import listeners
from engines.host.procfs import read_process
from engines.host.users import other_user
from engines.supervisor_client.client import is_supervised
from engines.web.address import host_and_port, normalise, own_addresses
from store.errors import EngineUnreachable
from store.foreign_text import printable

_NO_STATS = "disable-log-stats"
SILENT = "does not answer"
"""How the reason of an engine begins that runs and gives no answer over HTTP."""
_AT_ONCE = 32
"""Engines that are asked for their knobs at a time: a stranger may let any number seem to run."""
_SERVE = "`trimtab engines` lists those of this machine; `trimtab serve MODEL` starts one"


def find_engines(
    *, deadline_s: float = 3.0, only_own: bool = False, stated: StatedGpus = NOTHING_STATED
) -> list[EngineInfo]:
    """The engines on this machine, oldest first, those of other users as far as `local_engines`
    lists them; with `only_own` none of theirs. `stated` says which GPUs they hold where that cannot
    be seen. Never raises; takes about `deadline_s` at most.

    Those of other users are told as /proc tells of them: nothing is sent to an address that a
    stranger chose. `probe` reads one whose address a person named. For a thread without a running
    event loop.
    """
    locations = own_engines() if only_own else local_engines()
    if not locations:
        return []
    engines = _describe_all(locations, deadline_s, stated)
    engines = [engine for engine in engines if engine.pid is None or read_process(engine.pid)]
    names = naming.make_unique([(engine.name, engine.url, engine.pid or 0) for engine in engines])
    return [replace(engine, name=name) for engine, name in zip(engines, names, strict=True)]


def probe(
    url: str,
    api_key: str | None = None,
    *,
    deadline_s: float = 3.0,
    stated: StatedGpus = NOTHING_STATED,
) -> EngineInfo:
    """The engine at an address.

    Raises `BadInput` for what is no address, `EngineUnreachable` where nobody answers within
    `deadline_s` or what answers is not vLLM. `api_key` goes to that address only.
    """
    from engines.web.http import shown  # httpx is slow to import

    base = normalise(url)
    until = time.monotonic() + deadline_s
    place = located_at(base) if base.startswith("https:") else None
    question = Question([base], True, None if place is None else place.certificate)
    answer = ask_all([question], api_key=api_key, deadline_s=deadline_s)[0]
    if answer.kind == "silent":
        raise EngineUnreachable(f"No engine answers at {shown(base)}: {answer.problem}", "", _SERVE)
    if answer.kind == "other" and answer.wants_key:
        raise EngineUnreachable(
            f"{shown(base)} answers nobody without an API key",
            "That is all it tells" if api_key is None else "The key that was given is not its own",
            "Give it one: --api-key, or the variable TRIMTAB_API_KEY",
        )
    if answer.kind == "other":
        problem = f" ({answer.problem})" if answer.problem else ""
        raise EngineUnreachable(
            f"{shown(base)} answers, but is not a vLLM engine{problem}",
            "",
            "Give the address that `vllm serve` prints when it starts",
        )
    location = place or located_at(base)
    if location is None:
        return EngineInfo(
            url=base,
            name=naming.default_name(answer.model, base),
            model=answer.model,
            vllm_version=answer.version,
            reason=_why_only_observed(base),
        )
    answer.url = known_url(location, base)
    remaining_s = max(0.2, until - time.monotonic())
    return _describe(location, answer, _look_inside([location], remaining_s, stated)[0])


def _describe_all(
    locations: Sequence[Location], deadline_s: float, stated: StatedGpus
) -> list[EngineInfo]:
    asked_locations = [
        location
        for location in locations
        if location.reachable and not other_user(location.tree.root.pid)
    ]
    questions = [
        Question(location.urls, location.launch.shown_model is None, location.certificate)
        for location in asked_locations
    ]
    asked_pids = {location.tree.root.pid for location in asked_locations}
    unasked_pids = {location.tree.root.pid for location in locations} - asked_pids
    with ThreadPoolExecutor(1) as beside:
        insides = beside.submit(_look_inside, locations, deadline_s, stated, unasked_pids)
        answers = ask_all(questions, deadline_s=deadline_s) if questions else []
    by_pid = {
        location.tree.root.pid: answer
        for location, answer in zip(asked_locations, answers, strict=True)
    }
    engines = []
    for location, inside in zip(locations, insides.result(), strict=True):
        unasked = Answer(location.urls[0], "unasked")
        answer = by_pid.get(location.tree.root.pid, unasked)
        # Something that has vLLM inside and a port of its own is not yet a vLLM server.
        if location.tree.launch is not None or answer.kind != "other":
            engines.append(_describe(location, answer, inside))
    return engines


class _Inside(NamedTuple):
    """What is known of an engine beside its answer: what its plugin allows, the name that trimtab
    gave it and its supervisor has, and the GPUs that it holds."""

    plugin: PluginControl
    given_name: str | None
    supervisor: str | None
    holding: Holding


def _look_inside(
    locations: Sequence[Location],
    deadline_s: float,
    stated: StatedGpus,
    unasked_pids: Collection[int] = (),
) -> list[_Inside]:
    def control_of(location: Location) -> PluginControl:
        control = plugin_control(location.tree)
        if location.tree.root.pid in unasked_pids:
            return control
        return confirm(control, min(1.0, deadline_s))

    given_names = naming.given_names()
    pids = [location.tree.root.pid for location in locations]
    with ThreadPoolExecutor(min(len(locations), _AT_ONCE)) as beside:
        controls = beside.map(control_of, locations)
        supervised = beside.map(
            lambda pid: pid in given_names and is_supervised(given_names[pid]), pids
        )
        asked = [
            Asked(
                location.tree.root.pid,
                stated.of(_local_name(location, given_names), location.urls[0]),
            )
            for location in locations
        ]
        holdings = gpus.holds(asked, gpus.look(deadline_s)) if asked else []
        return [
            _Inside(
                control,
                given_names.get(pid),
                given_names[pid] if has_supervisor else None,
                holding,
            )
            for control, has_supervisor, pid, holding in zip(
                controls, supervised, pids, holdings, strict=True
            )
        ]


def _local_name(location: Location, given_names: Mapping[int, str]) -> str:
    """What an engine is called, as far as that is known without asking it."""
    default = naming.default_name(model_of(location), location.urls[0])
    return given_names.get(location.tree.root.pid, default)


def _describe(location: Location, answer: Answer, inside: _Inside) -> EngineInfo:
    root = location.tree.root
    user = other_user(root.pid)
    model = answer.model or model_of(location)
    plugin = inside.plugin
    control, reason, sockets = plugin.control, plugin.reason, plugin.sockets
    if not location.reachable:
        control, reason, sockets = "observe", location.problem, ()
    elif answer.kind == "unasked":
        reason = f"runs as {user}, so it is read where its address is given; {reason}"
    elif answer.kind == "silent":
        reason = f"{SILENT}: {answer.problem}; {reason}"
    elif answer.kind == "other":
        reason = f"answers, but not as vLLM does; {reason}"
    if any(flag.name == _NO_STATS for flag in cut(location.tree.launch or ())):
        reason = f"tells no metrics, as it was started with --{_NO_STATS}; {reason}"
    return EngineInfo(
        url=answer.url,
        name=inside.given_name or naming.default_name(model, answer.url),
        model=model,
        pid=root.pid,
        vllm_version=answer.version,
        control=control,
        reason=reason,
        gpus=tuple(f"GPU {hold.index}: {hold.device.name}" for hold in inside.holding.holds),
        holding=inside.holding,
        started_ms=root.started_ms,
        arguments=() if user and answer.kind == "unasked" else arguments_of(location),
        sockets=sockets,
        supervisor=inside.supervisor,
        user=user,
        certificate=location.certificate,
    )


def _why_only_observed(url: str) -> str:
    host, port = host_and_port(url)
    if not own_addresses(host):
        return "not on this machine: run trimtab there to change its knobs"
    for listener in listeners.tcp_listeners():
        if listener.port == port and (pid := listeners.owner_of(listener.inode)) is not None:
            process = read_process(pid)
            owner = f"{printable(process.comm)} (PID {pid})" if process else f"PID {pid}"
            return f"the port belongs to {owner}, which is not vLLM: the engine is elsewhere"
    return "its process cannot be seen from here: another user's, or in a container"
