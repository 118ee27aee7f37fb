"""An engine that was started, to be followed and asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engines.serving.registry import Serving


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
