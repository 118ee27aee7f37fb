"""The engines trimtab started: one small file each.

The file is `<data>/serving/NAME.json`, readable by its owner only. An engine whose process has
ended is not listed; its file goes with the next engine of that name.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from engines.host import lifetime
from engines.provision.places import data_dir
from engines.provision.state import write_atomically
from engines.serving.names import SWAPPING, check_name
from store.errors import NotAchieved
from store.private_files import open_private

LINGERS_S = 4.0
_POLL_S = 0.1


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


def has_no_address(pid: int) -> bool:
    """Whether this engine is in a swap and does not serve its address, not yet or no more."""
    return any(serving.pid == pid and serving.name.endswith(SWAPPING) for serving in list_serving())


def save(serving: Serving) -> None:
    """Write down an engine that was just started; raises OSError."""
    text = json.dumps(asdict(serving), indent=2) + "\n"
    write_atomically(_path(serving.name), text)


def rename(name: str, new_name: str) -> None:
    """Let an engine of ours have another name; whoever had that name has none any more.

    It needs no room on the disk.
    """
    with contextlib.suppress(FileNotFoundError):
        _path(check_name(name)).replace(_path(check_name(new_name)))


def forget(name: str) -> None:
    """Let go of an engine that has ended."""
    _path(check_name(name)).unlink(missing_ok=True)


def lock_name(name: str) -> int:
    """A descriptor that holds the name of an engine until its last copy is closed, in whatever
    process: of several that start at once one gets it. Raises `NotAchieved` where it is held, for
    longer than a supervisor lingers that has just stopped its engine.
    """
    path = data_dir() / "locks" / f"{check_name(name)}.lock"
    try:
        descriptor = open_private(path, os.O_RDWR)
    except OSError as error:
        raise NotAchieved(f"{path} cannot be written", error.strerror or "") from None
    until = time.monotonic() + LINGERS_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < until:
                time.sleep(_POLL_S)
                continue
            os.close(descriptor)
            raise NotAchieved(
                f"{name} is supervised already",
                "",
                f"trimtab stop {name}, or choose another --name",
            ) from None
        return descriptor


def list_serving() -> list[Serving]:
    """Every engine we started that lives, by name; none where the list may not be read."""
    try:
        paths = sorted(_directory().glob("*.json"))
    except OSError:
        return []
    written = (_read(path) for path in paths)
    return [s for s in written if s is not None and lifetime.is_alive(s.pid, s.start_ticks)]


def recorded(name: str) -> Serving | None:
    """What was written down of the engine of this name, whether it lives or not."""
    return _read(_path(check_name(name)))


def find_serving(name: str) -> Serving | None:
    """The engine of this name, if it lives."""
    serving = recorded(name)
    if serving is None or not lifetime.is_alive(serving.pid, serving.start_ticks):
        return None
    return serving


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
