"""The engines trimtab started: one small file each, and stopping them without cutting requests.

The file is `<data>/serving/NAME.json`, readable by its owner only. An engine whose process has
ended is not listed; its file goes with the next engine of that name.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from engines.control.front import Front, front_path
from engines.control.wire import ControlLost, ControlRefused
from engines.host import lifetime
from engines.provision.places import data_dir
from engines.provision.state import write_atomically
from engines.text.plain import printable
from store.errors import BadInput, NotAchieved

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DRAIN_S = 30.0
GRACE_S = 20.0
STARTING_GRACE_S = 2.0
IDLE_S = 6.0
"""vLLM closes a connection that was idle for 5 s."""
_POLL_S = 0.2
CANDIDATE = (".next", ".other")
"""Endings of the name of an engine that is to take over from another one."""
LEAVING = ".old"
"""The ending of one that another has taken over from, while it finishes what it has."""
SWAPPING = (*CANDIDATE, LEAVING)


@dataclass(frozen=True, slots=True)
class Serving:
    """An engine we started. `arguments` are redacted, `cores` those its worker is bound to."""

    name: str
    pid: int
    start_ticks: int
    url: str
    model: str
    log: str
    arguments: tuple[str, ...] = ()
    cores: tuple[int, ...] = ()
    started_ms: int = 0


@dataclass(frozen=True, slots=True)
class Stopped:
    """How an engine ended: whether its requests were finished, and what had to be killed."""

    name: str
    pid: int
    drained: bool
    killed: tuple[int, ...]
    took_s: float


def check_name(name: str) -> str:
    """The name itself; raises `BadInput` where it cannot be a file's."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{printable(name, 80)!r} cannot be a name",
            "a name has up to 64 letters, digits, dots, dashes and underscores",
        )
    return name


def candidate_names(name: str) -> tuple[str, ...]:
    """The names that an engine can have while it is to take over from the engine `name`."""
    return tuple(f"{name}{ending}" for ending in CANDIDATE)


def leaving_name(name: str) -> str:
    """The name of the engine `name` once another has taken over from it."""
    return f"{name}{LEAVING}"


def base_name(name: str) -> str:
    """The name of the engine whose address this one has, is to have, or had."""
    for ending in SWAPPING:
        name = name.removesuffix(ending)
    return name


def has_no_address(pid: int) -> bool:
    """Whether this engine is in a swap and does not serve its address, not yet or no more."""
    return any(one.pid == pid and one.name.endswith(SWAPPING) for one in list_serving())


def save(serving: Serving) -> None:
    """Write down an engine that was just started; raises OSError."""
    text = json.dumps(asdict(serving), indent=2) + "\n"
    _directory().mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(_path(serving.name), text, mode=0o600)


def rename(name: str, new_name: str) -> None:
    """Let an engine of ours have another name; whoever had that name has none any more.

    It needs no room on the disk.
    """
    with contextlib.suppress(FileNotFoundError):
        _path(check_name(name)).replace(_path(check_name(new_name)))


def forget(name: str) -> None:
    """Let go of an engine that has ended."""
    _path(check_name(name)).unlink(missing_ok=True)


def list_serving() -> list[Serving]:
    """Every engine we started that lives, by name; none where the list may not be read."""
    try:
        paths = sorted(_directory().glob("*.json"))
    except OSError:
        return []
    found = (_read(path) for path in paths)
    return [s for s in found if s is not None and lifetime.is_alive(s.pid, s.start_ticks)]


def find_serving(name: str) -> Serving | None:
    """The engine of this name, if it lives."""
    serving = _read(_path(check_name(name)))
    if serving is None or not lifetime.is_alive(serving.pid, serving.start_ticks):
        return None
    return serving


def stop(
    name: str,
    *,
    drain_s: float = DRAIN_S,
    grace_s: float = GRACE_S,
    on_wait: Callable[[str], None] | None = None,
    listener: socket.socket | None = None,
) -> Stopped:
    """End an engine that we started: let it finish its requests, SIGTERM, at the last SIGKILL.

    Waits at most `drain_s` for running requests to reach 0 (vLLM cuts at SIGTERM what still runs)
    and `grace_s` for its processes to go, less for one that still starts: it has no request to lose
    and is deaf to SIGTERM while it loads. Only processes of its own session are signalled.
    Raises `NotAchieved` when there is no such engine or it will not go.
    """
    serving = _read(_path(check_name(name)))
    family = {} if serving is None else lifetime.family(serving.pid, serving.start_ticks)
    if serving is None or not family:
        if serving is not None:
            _path(name).unlink(missing_ok=True)
        raise NotAchieved(
            f"no engine named {name} runs", "", f"running: {_names(list_serving()) or 'none'}"
        )
    began = time.monotonic()
    tell = on_wait or (lambda _: None)
    drained = _drain_front(serving, drain_s, tell, listener)
    if drained is None:
        drained = _drain(serving, drain_s, tell)
    tell("ending its processes")
    from engines.serving.startup import has_served  # with HTTP, which is slow to import

    if not has_served(Path(serving.log)):
        grace_s = min(grace_s, STARTING_GRACE_S)
    killed = _end(serving, grace_s)
    left = lifetime.family(serving.pid, serving.start_ticks)
    if left:
        pids = ", ".join(map(str, sorted(left)))
        raise NotAchieved(
            f"{name} will not go: PID {pids}", "the kernel holds it", f"see {serving.log}"
        )
    _path(name).unlink(missing_ok=True)
    return Stopped(name, serving.pid, drained, killed, time.monotonic() - began)


def _drain_front(
    serving: Serving,
    drain_s: float,
    tell: Callable[[str], None],
    listener: socket.socket | None,
) -> bool | None:
    """Close the front and wait until every connection has got its answer; None without a front."""
    front = Front(front_path(serving.pid, os.geteuid()))
    deadline = time.monotonic() + drain_s
    idle_since: float | None = None
    try:
        state = front.close()
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
        while state.connections:
            now = time.monotonic()
            idle_since = (idle_since or now) if not state.in_flight else None
            if idle_since is not None and now - idle_since >= IDLE_S:
                return True
            if now >= deadline:
                return not state.in_flight
            tell(f"waiting for {state.in_flight} requests")
            time.sleep(_POLL_S)
            state = front.state()
    except (ControlLost, ControlRefused):
        return None
    return True


def _drain(serving: Serving, drain_s: float, tell: Callable[[str], None]) -> bool:
    """Wait until no request is in flight; False when some were at the end of `drain_s`."""
    from engines import metrics
    from engines.web import http
    from store.errors import TrimtabError

    deadline = time.monotonic() + drain_s
    while lifetime.is_alive(serving.pid, serving.start_ticks):
        try:
            sample = metrics.read(http.get(f"{serving.url}/metrics", deadline_s=2.0))
        except http.TooSlow:
            waiting_for = "an answer"
        except TrimtabError:
            return False
        else:
            in_flight = (sample.running or 0) + (sample.waiting or 0)
            if not in_flight:
                return True
            waiting_for = f"{in_flight:g} requests"
        if time.monotonic() >= deadline:
            return False
        tell(f"waiting for {waiting_for}")
        time.sleep(_POLL_S)
    return False


def end_orphans(name: str) -> None:
    """End what an engine of ours left behind when its first process died."""
    serving = _read(_path(check_name(name)))
    if serving is not None:
        _end(serving, STARTING_GRACE_S)


def _end(serving: Serving, grace_s: float) -> tuple[int, ...]:
    """SIGTERM to the API server, SIGKILL to whatever of its session outlives `grace_s`."""
    members = lifetime.family(serving.pid, serving.start_ticks)
    if not lifetime.send(serving.pid, serving.start_ticks, signal.SIGTERM):
        for pid, ticks in members.items():
            lifetime.send(pid, ticks, signal.SIGTERM)
    members = _outlast(serving, grace_s)
    killed = tuple(
        sorted(pid for pid, ticks in members.items() if lifetime.send(pid, ticks, signal.SIGKILL))
    )
    _outlast(serving, 5.0)
    return killed


def _outlast(serving: Serving, seconds: float) -> dict[int, int]:
    """Wait for an engine's processes to go; those left after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        members = lifetime.family(serving.pid, serving.start_ticks)
        if not members or time.monotonic() >= deadline:
            return members
        time.sleep(_POLL_S)


def _names(servings: list[Serving]) -> str:
    return ", ".join(serving.name for serving in servings)


def _directory() -> Path:
    return data_dir() / "serving"


def _path(name: str) -> Path:
    return _directory() / f"{name}.json"


def _read(path: Path) -> Serving | None:
    try:
        content = json.loads(path.read_bytes())
        return Serving(
            name=path.stem,
            pid=int(content["pid"]),
            start_ticks=int(content["start_ticks"]),
            url=str(content["url"]),
            model=str(content["model"]),
            log=str(content["log"]),
            arguments=tuple(map(str, content["arguments"])),
            cores=tuple(map(int, content["cores"])),
            started_ms=int(content["started_ms"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
