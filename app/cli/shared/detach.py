"""Leaving a program in the background: its own session, a log file, and proof that it works."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from app.cli.shared.recording import FIRST_READING_S, last_reading_ms, wait_until
from app.settings import paths
from app.text.output import LONGEST_LINE
from store.clock import now_ms
from store.errors import NotAchieved
from store.foreign_text import printable
from store.private_files import open_log

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo


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
) -> dict[str, object]:
    """Start `trimtab record` in the background; returns once a reading of each engine is stored.

    Raises NotAchieved with the log's last line if it ended or stored none in time.
    """
    from store.ledger.connection import Ledger

    log_path = paths.log_path("record")
    arguments = ["record", *chosen, "--db", str(db.absolute()), "--every", f"{every_s}s"]
    if seconds is not None:
        arguments += ["--for", f"{seconds}s"]
    since_ms = now_ms()
    with open_log(log_path) as log:
        start = log.tell()
        # The key travels in the environment: arguments can be read by everybody on the host.
        child = spawn_detached(arguments, log, {"TRIMTAB_API_KEY": api_key} if api_key else None)

    def settled() -> bool:
        if child.poll() is not None:
            return True
        with Ledger.open(db, readonly=True) as ledger:
            return all((last_reading_ms(ledger, engine.url) or 0) >= since_ms for engine in engines)

    if not wait_until(settled, FIRST_READING_S):
        child.terminate()
        raise NotAchieved(
            f"No reading was stored within {FIRST_READING_S:g} s", last_line(log_path, start)
        )
    if child.poll() is not None:
        raise NotAchieved(
            "The recorder ended at once", last_line(log_path, start), f"Its log is {log_path}"
        )
    return {
        "pid": child.pid,
        "engines": [engine.name for engine in engines],
        "db": str(db),
        "log": str(log_path),
    }


def last_line(path: Path, start: int = 0) -> str:
    """The last line that a log has got since byte `start`, made safe to show."""
    with path.open("rb") as log:
        log.seek(start)
        lines = log.read(200_000).decode("utf-8", "replace").strip().splitlines()
    return printable(lines[-1], LONGEST_LINE) if lines else "Its log is empty"
