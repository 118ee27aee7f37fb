"""Whether an engine that we started answers its health check."""

from __future__ import annotations

import os
import time
from pathlib import Path

from engines.control.api_front import Front, front_path
from engines.host import lifetime, listeners
from engines.serving.started import Started
from engines.web import http
from engines.web.address import host_and_port
from store.errors import TrimtabError

DEADLINE_S = 2.0
UNTOLD_EVERY_S = 5.0
_MAX_BYTES = 1 << 16


class HealthCheck:
    """Asks one engine, again and again.

    Over its own socket where a supervisor gave it its address, else at its address. There a
    question hangs while it starts, so it is asked seldom until its log tells that it has started,
    which it need not (`--uvicorn-log-level`), and who answers there must be itself: the address may
    be anybody's by now. One that cannot be asked either way is believed.
    """

    def __init__(self, started: Started) -> None:
        self._started = started
        self._asked_at = time.monotonic()

    def passes(self, *, has_started: bool) -> bool:
        """Whether it answers now; `has_started` is what its log tells."""
        front = front_path(self._started.pid, os.geteuid())
        if front.exists():
            return _answers("http://localhost", front)
        if self._started.log_only:
            return has_started
        if not has_started and time.monotonic() - self._asked_at < UNTOLD_EVERY_S:
            return False
        self._asked_at = time.monotonic()
        return _answers(self._started.url) and self._has_address()

    def _has_address(self) -> bool:
        """Whether the kernel says that one of its processes listens at its address."""
        pid, ticks = self._started.pid, self._started.start_ticks
        _, port = host_and_port(self._started.url)
        return listeners.any_listens((pid, *lifetime.session_of(pid, ticks)), port)


def _answers(url: str, front: Path | None = None) -> bool:
    """At `url`, or with a front on the socket that it tells."""
    try:
        http.get(
            f"{url}/health",
            deadline_s=DEADLINE_S,
            max_bytes=_MAX_BYTES,
            unix_socket=None if front is None else Front(front).http_path(),
        )
    except TrimtabError:
        return False
    return True
