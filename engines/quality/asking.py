"""Ways to ask an engine: over its address, or over a Unix socket that only we know."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engines.web.http import ReadFailed, post

Asker = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""Posts a body to a path and gives the JSON object that came back; raises `ReadFailed`."""

DEADLINE_S = 60.0
MAX_BYTES = 16 * 1024 * 1024


def over_http(
    base_url: str,
    *,
    api_key: str | None = None,
    deadline_s: float = DEADLINE_S,
    unix_socket: Path | None = None,
) -> Asker:
    """Ask the engine at `base_url`; each question has `deadline_s` in all."""

    def ask(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = post(
            base_url.rstrip("/") + path,
            dict(body),
            api_key=api_key,
            deadline_s=deadline_s,
            max_bytes=MAX_BYTES,
            unix_socket=unix_socket,
        )
        try:
            reply = json.loads(answer)
        except (ValueError, RecursionError):
            raise ReadFailed("the answer is not JSON") from None
        if not isinstance(reply, dict):
            raise ReadFailed("the answer is not an object")
        return reply

    return ask


def over_socket(path: Path, *, api_key: str | None = None) -> Asker:
    """Ask the engine that speaks HTTP on the Unix socket `path`."""
    return over_http("http://localhost", api_key=api_key, unix_socket=path)
