"""The engines trimtab started: one small file each.

The file is `<data>/serving/NAME.json`, readable by its owner only. An engine whose process has
ended is not listed; its file goes with the next engine of that name.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engines.host import lifetime
from engines.host.procfs import user_id
from engines.provision.places import NoHome, data_dir
from engines.provision.state import write_atomically
from engines.serving.name_lock import is_held
from engines.serving.names import base_name, check_name, is_in_swap
from store.private_files import read_own
from store.records import AS_STARTED

_LONGEST = 1 << 20
"""Bytes of a record; command lines are long."""


@dataclass(frozen=True, slots=True)
class Serving:
    """An engine we started. `arguments` are redacted, `cores` those its worker is bound to.

    `boot` is the machine's, `program` the file that its first process runs, `members` the processes
    that it had once it was healthy (PID, start ticks): a PID alone may be another's by now.
    `swap_id` is the swap that it came by, `variant` the one that it is.
    """

    name: str
    pid: int
    start_ticks: int
    url: str
    model: str
    log: str
    arguments: tuple[str, ...] = ()
    cores: tuple[int, ...] = ()
    started_ms: int = 0
    boot: str = ""
    program: str = ""
    members: tuple[tuple[int, int], ...] = ()
    swap_id: str | None = None
    variant: str = AS_STARTED


def without_address() -> frozenset[int]:
    """PIDs of the engines in a swap that do not serve their address, not yet or no more.

    One that a swap left alone, with nobody to go on with it, has the address all the same.
    """
    servings = list_serving()
    return frozenset(
        serving.pid
        for serving in servings
        if is_in_swap(serving.name) and not _is_left_alone(serving, servings)
    )


def _is_left_alone(serving: Serving, servings: Sequence[Serving]) -> bool:
    name = base_name(serving.name)
    rivals = [each for each in servings if base_name(each.name) == name]
    return len(rivals) == 1 and not is_held(name)


def save(serving: Serving) -> None:
    """Write down an engine that was just started; raises OSError."""
    text = json.dumps(asdict(serving), indent=2) + "\n"
    write_atomically(_path(serving.name), text)


def note_members(name: str) -> None:
    """Write down which processes the engine has now; what cannot be written is left."""
    serving = find_serving(name)
    if serving is not None:
        members = lifetime.session_of(serving.pid, serving.start_ticks)
        with contextlib.suppress(OSError):
            save(replace(serving, members=tuple(members.items())))


def family(serving: Serving) -> dict[int, int]:
    """An engine's living processes, PID → start ticks, and nobody else's.

    Of one whose first process has ended those count that it had when it was healthy; before that
    whatever of its session runs the same program as our own user.
    """
    if not _is_of_this_boot(serving):
        return {}
    session = lifetime.session_of(serving.pid, serving.start_ticks)
    if serving.pid in session:
        return session
    if serving.members:
        return {pid: ticks for pid, ticks in serving.members if lifetime.is_alive(pid, ticks)}
    return {
        pid: ticks
        for pid, ticks in session.items()
        if lifetime.program_of(pid) == serving.program and user_id(pid) == os.geteuid()
    }


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
    except (OSError, NoHome):
        return []
    entries = (_read(path) for path in paths)
    return [serving for serving in entries if serving is not None and _is_alive(serving)]


def recorded(name: str) -> Serving | None:
    """What was written down of the engine of this name, whether it lives or not."""
    return _read(_path(check_name(name)))


def find_serving(name: str) -> Serving | None:
    """The engine of this name, if it lives."""
    serving = recorded(name)
    return None if serving is None or not _is_alive(serving) else serving


def _is_alive(serving: Serving) -> bool:
    return _is_of_this_boot(serving) and lifetime.is_alive(serving.pid, serving.start_ticks)


def _is_of_this_boot(serving: Serving) -> bool:
    return serving.boot in ("", lifetime.boot_id())


def _directory() -> Path:
    return data_dir() / "serving"


def _path(name: str) -> Path:
    return _directory() / f"{name}.json"


def _read(path: Path) -> Serving | None:
    try:
        content = json.loads(read_own(path, _LONGEST))
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
            boot=str(content.get("boot", "")),
            program=str(content.get("program", "")),
            members=tuple((int(pid), int(ticks)) for pid, ticks in content.get("members", ())),
            swap_id=None if content.get("swap_id") is None else str(content["swap_id"]),
            variant=str(content.get("variant", AS_STARTED)),
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
