"""An engine whose counters grow at a known rate, and that remembers each page it gave.

Every page differs from the one before, so a row of a ledger can be told to be of one page.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from store.clock import now_ms
from tests.servers import REAL_PAGE

_GROWING = {
    "prompt_tokens": ("prompt_tokens", 2),
    "generation_tokens": ("generation_tokens", 6),
    "prefix_queries": ("prefix_cache_queries", 4),
    "prefix_hits": ("prefix_cache_hits", 2),
}
"""By the ledger's column: vLLM's name, and by how much it grows in a millisecond."""


@dataclass(frozen=True)
class Page:
    """A page that was given at `at_ms`: the counters in it, by the ledger's columns."""

    at_ms: int
    counters: Mapping[str, int]


class GrowingEngine:
    """Serves at `url`; `pages` are those given so far, oldest first."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self._lock = threading.Lock()
        self._began, self._grown_ms = time.monotonic(), 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[GrowingEngine]:
        """Serve within the block."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _page(self) -> bytes:
        with self._lock:
            grown_ms = int((time.monotonic() - self._began) * 1000)
            self._grown_ms = max(grown_ms, self._grown_ms + 1)
            counters = {column: rate * self._grown_ms for column, (_, rate) in _GROWING.items()}
            self.pages.append(Page(now_ms(), counters))
        page = REAL_PAGE
        for column, (name, _) in _GROWING.items():
            line = rb"(?m)^(vllm:" + name.encode() + rb"_total\{.*\}) \S+$"
            page = re.sub(line, rb"\g<1> %d.0" % counters[column], page)
        return page

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                bodies = {
                    "/version": lambda: json.dumps({"version": "0.32.0"}).encode(),
                    "/v1/models": lambda: json.dumps({"data": [{"id": "tiny"}]}).encode(),
                    "/metrics": engine._page,
                }
                body = bodies.get(self.path, bytes)()
                with suppress(OSError):
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
