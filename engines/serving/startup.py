"""Follow a starting engine through its log until it answers, or tell why it ended."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engines.host import lifetime
from engines.text.outputs import clean_line
from engines.web import http
from store.errors import NotAchieved

if TYPE_CHECKING:
    from engines.serving.registry import Serving

PHASES: tuple[tuple[str, str], ...] = (
    ("Resolved architecture", "model recognised"),
    ("Initializing a V1 LLM engine", "engine process started"),
    ("Starting to load model", "loading weights"),
    ("Loading weights took", "weights loaded"),
    ("KV cache size", "cache allocated"),
    ("Capturing CUDA graphs", "capturing CUDA graphs"),
    ("init engine", "engine ready"),
    ("Application startup complete", "serving"),
)
"""A piece of vLLM's log line, and what it means, in the order they come; some may be left out."""

_POLL_S = 0.25
_MAX_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Started:
    """A started engine, which may still be loading. `log_only`: its health cannot be asked by HTTP
    (a Unix socket, or TLS), so the log tells it."""

    name: str
    pid: int
    start_ticks: int
    url: str
    log_path: Path
    log_only: bool = False


def started_as(serving: Serving, *, log_only: bool) -> Started:
    """An engine of ours that was started before, to be followed and asked as if just now."""
    return Started(
        serving.name,
        serving.pid,
        serving.start_ticks,
        serving.url,
        Path(serving.log),
        log_only,
    )


@dataclass(frozen=True, slots=True)
class Phase:
    """How far a start is: phase `index` of `total`, from 1; 0 before the log says anything."""

    index: int
    total: int
    text: str
    elapsed_s: float


class StartFailed(NotAchieved):
    """The engine ended, or did not answer in time."""


def wait_healthy(
    started: Started,
    timeout_s: float = 300.0,
    on_phase: Callable[[Phase], None] | None = None,
) -> None:
    """Return once the engine answers its health check; raises `StartFailed`.

    `on_phase` is called on every turn, also while nothing changes, so that it can show the time.
    An engine that is only slow is left running: whoever started it decides.
    """
    began = time.monotonic()
    log = LogPhases(started.log_path)
    while True:
        index = log.advance()
        elapsed = time.monotonic() - began
        if on_phase is not None:
            text = PHASES[index - 1][1] if index else "starting"
            on_phase(Phase(index, len(PHASES), text, elapsed))
        if not lifetime.is_alive(started.pid, started.start_ticks):
            raise _ended(started)
        if index == len(PHASES) and (started.log_only or _answers(started.url)):
            return
        if elapsed >= timeout_s:
            raise StartFailed(
                f"the engine does not answer after {timeout_s:.0f} s",
                "it was still starting then",
                f"see {started.log_path}",
            )
        time.sleep(_POLL_S)


def has_served(log: Path) -> bool:
    """Whether the engine that writes this log has got so far as to take requests."""
    return LogPhases(log).advance() == len(PHASES)


def _answers(url: str) -> bool:
    try:
        http.get(f"{url}/health", deadline_s=2.0, max_bytes=1 << 16)
    except http.ReadFailed:
        return False
    return True


class LogPhases:
    """Reads what is new in a growing log and knows the furthest phase in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._index = 0

    def advance(self) -> int:
        """Read on; the index of the furthest phase, 0 before the first."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read(_MAX_READ)
        except OSError:
            return self._index
        whole, newline, _ = text.rpartition(b"\n")
        if not newline and len(text) < _MAX_READ:
            return self._index
        self._offset += len(whole) + len(newline) if newline else len(text)
        content = whole.decode("utf-8", "replace")
        for index, (piece, _) in enumerate(PHASES, 1):
            if index > self._index and piece in content:
                self._index = index
        return self._index


def _ended(started: Started) -> StartFailed:
    status = lifetime.exit_status(started.pid, wait_s=2.0)
    how = "the engine ended while starting"
    if status is not None and status < 0:
        how += f" by signal {-status}" + (" (often out of memory)" if status == -9 else "")
    elif status is not None:
        how += f" with exit code {status}"
    return StartFailed(how, why_it_ended(started.log_path), f"see {started.log_path}")


_PREFIX = re.compile(
    r"^(\([^)]*pid=\d+\)\s*)?([A-Z]+ \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]*\]\s?)?(\x1b\[[0-9;]*m)*"
)
_EXCEPTION = re.compile(r"^[\w.]*(Error|Exception|Interrupt|Exit)\b.*|^vllm[\w ]*: error: .*")
_GENERIC = re.compile(r"Engine core initialization failed|See root cause above|EngineDeadError")
_TAIL_BYTES = 256 * 1024


def why_it_ended(log: Path) -> str:
    """The root cause in an engine's log, cleaned: one line, without secrets; "" when unreadable.

    vLLM's processes hand an exception upward, so the first one is the cause. The last line of the
    log stands in where none is found.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return cause_in(text)


def cause_in(text: str) -> str:
    """The root cause in what a vLLM has printed, as `why_it_ended` gives it."""
    lines = [_PREFIX.sub("", line).rstrip() for line in text.splitlines()]
    chosen = _first_exception(lines) or next((x for x in reversed(lines) if x.strip()), "")
    return clean_line(chosen)


def _first_exception(lines: list[str]) -> str | None:
    for at, line in enumerate(lines):
        if _EXCEPTION.match(line) and not _GENERIC.search(line):
            if "validation error" in line:  # pydantic says what it is on a line after
                return _first_value_error(lines[at + 1 : at + 4]) or line
            return line
    return None


def _first_value_error(lines: Iterable[str]) -> str | None:
    return next((line.partition(" [type=")[0] for line in lines if "error, " in line), None)
