"""How an engine ended, and why, from what it printed."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable
from pathlib import Path

from engines.cleaning.outputs import clean_line
from engines.host import lifetime

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""Around a process's name; around the level, too, where vLLM takes the log for a terminal."""
_PREFIX = re.compile(r"^(\([^)]*pid=\d+\)\s*)?([A-Z]+ \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]*\]\s?)?")
_EXCEPTION = re.compile(
    r"^[\w.]*(Error|Exception|Interrupt|Exit)\b.*|^vllm[\w ]*: error: .*|^Fatal Python error: .*"
)
_GENERIC = re.compile(r"Engine core initialization failed|See root cause above|EngineDeadError")
_ORDINARY = re.compile(r"^(\([^)]*pid=\d+\)\s*)?(DEBUG|INFO|WARNING)\b")
_TAIL_BYTES = 256 * 1024


def exit_words(pid: int) -> str:
    """How a child of this process ended, to be put after "ended"; "" where that is unknown."""
    status = lifetime.exit_status(pid, wait_s=2.0)
    if status is None:
        return ""
    if status >= 0:
        return f" with exit code {status}"
    return f" by signal {-status}" + (" (often out of memory)" if status == -signal.SIGKILL else "")


def why_it_ended(log: Path) -> str:
    """The root cause in an engine's log, cleaned: one line, without secrets; "" when unreadable.

    vLLM's processes hand an exception upward, so the first one is the cause. Where none is found,
    the log's last line stands in, and is told to be no reason where it tells of ordinary work.
    """
    text = _tail(log)
    return cause_in(text) if text else ""


def exception_in(log: Path) -> str:
    """The first exception in the end of an engine's log, cleaned; "" where there is none."""
    return clean_line(_first_exception(_bare_lines(_tail(log))) or "")


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def cause_in(text: str) -> str:
    """The root cause in what a vLLM has printed, as `why_it_ended` gives it."""
    return clean_line(_first_exception(_bare_lines(text)) or _last_line(text))


def _bare_lines(text: str) -> list[str]:
    """The lines without colours, process, level, time and place."""
    return [_PREFIX.sub("", line).rstrip() for line in _COLOUR.sub("", text).splitlines()]


def _last_line(text: str) -> str:
    lines = _COLOUR.sub("", text).splitlines()
    last = next((line for line in reversed(lines) if line.strip()), "")
    line = _PREFIX.sub("", last).rstrip()
    return f"its log gives no reason and ends with: {line}" if _ORDINARY.match(last) else line


def _first_exception(lines: list[str]) -> str | None:
    for index, line in enumerate(lines):
        if _EXCEPTION.match(line) and not _GENERIC.search(line):
            if "validation error" in line:  # pydantic says what it is on a line after
                return _first_value_error(lines[index + 1 : index + 4]) or line
            return line
    return None


def _first_value_error(lines: Iterable[str]) -> str | None:
    return next((line.partition(" [type=")[0] for line in lines if "error, " in line), None)
