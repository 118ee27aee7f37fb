"""Leaving a program in the background: its own session, a log file, and proof that it works."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from app.cli.shared.recording import FIRST_READING_S, is_read, wait_until
from app.settings import paths
from app.text.output import LONGEST_LINE
from store.clock import now_ms
from store.errors import BadInput, NotAchieved
from store.foreign_text import printable
from store.private_files import open_log
from store.tables.engines import find_engine

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo
    from store.ledger.connection import Ledger


@dataclass(frozen=True, slots=True)
class DetachedRecorder:
    """A recorder in the background. `unread` are those of its engines of which there is no reading
    yet, with the reason; `log` is None where there is no place for one."""

    pid: int
    engines: tuple[str, ...]
    unread: Mapping[str, str]
    db: str
    log: str | None


def spawn_detached(
    arguments: Sequence[str], log: IO[bytes], environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Run `trimtab ARGUMENTS` in a session of its own, which no terminal's end reaches."""
    return subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=os.environ | (environment or {}),
    )


def record_detached(
    db: Path,
    engines: Sequence[EngineInfo],
    chosen: Sequence[str],
    *,
    seconds: float | None,
    every_s: float,
    api_key: str | None,
    gpus: Sequence[str] = (),
) -> DetachedRecorder:
    """Start `trimtab record` in the background; returns once a reading of each engine is stored, or
    it is known why there is none of some: they are recorded as soon as they can be read.

    Raises NotAchieved with the reasons if it ended or stored nothing at all in time.
    """
    from store.ledger.connection import Ledger

    arguments = ["record", *chosen, "--db", str(db.absolute()), "--every", f"{every_s}s"]
    if seconds is not None:
        arguments += ["--for", f"{seconds}s"]
    for words in gpus:
        arguments += ["--gpus", words]
    since_ms = now_ms()
    log_path, log = _log("record")
    with log:
        start = log.tell() if log_path is not None else 0
        # The key travels in the environment: arguments can be read by everybody on the host.
        child = spawn_detached(arguments, log, {"TRIMTAB_API_KEY": api_key} if api_key else None)

    def settled() -> bool:
        if child.poll() is not None:
            return True
        with Ledger.open(db, readonly=True) as ledger:
            return all(
                is_read(ledger, engine.url, since_ms) or _trouble(ledger, engine, since_ms)
                for engine in engines
            )

    wait_until(settled, FIRST_READING_S)
    with Ledger.open(db, readonly=True) as ledger:
        unread = {
            engine.name: _trouble(ledger, engine, since_ms)
            for engine in engines
            if not is_read(ledger, engine.url, since_ms)
        }
    if child.poll() is None and len(unread) == len(engines):
        child.terminate()
        reasons = "; ".join(f"{name}: {reason or 'no answer'}" for name, reason in unread.items())
        raise NotAchieved("No reading could be stored", reasons)
    if child.poll() is not None:
        said = "" if log_path is None else last_line(log_path, start)
        remedy = "" if log_path is None else f"Its log is {log_path}"
        raise NotAchieved("The recorder ended at once", said, remedy)
    names = tuple(engine.name for engine in engines)
    log_name = None if log_path is None else str(log_path)
    return DetachedRecorder(child.pid, names, unread, str(db), log_name)


def _log(name: str) -> tuple[Path | None, IO[bytes]]:
    """A log and its place; None, and one that keeps nothing, where there is no place for logs."""
    try:
        path = paths.log_path(name)
        return path, open_log(path)
    except (OSError, BadInput):
        return None, Path(os.devnull).open("wb")


def _trouble(ledger: Ledger, engine: EngineInfo, since_ms: int) -> str:
    """Why an engine cannot be read, as the recorder has found since; '' where it has not."""
    row = find_engine(ledger, engine.url)
    is_fresh = row is not None and row.state != "ok" and (row.state_ms or 0) >= since_ms
    return row.state_reason if row is not None and is_fresh else ""


def last_line(path: Path, start: int = 0) -> str:
    """The last line that a log has got since byte `start`, made safe to show."""
    with path.open("rb") as log:
        log.seek(start)
        lines = log.read(200_000).decode("utf-8", "replace").strip().splitlines()
    return printable(lines[-1], LONGEST_LINE) if lines else "Its log is empty"
