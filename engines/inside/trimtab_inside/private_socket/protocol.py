"""The words spoken on the socket: one JSON object a line, one answer for each.

Requests: {"v": 1, "op": "hello" | ..., ...}; the other ops are those of the desk that answers.
Answers: {"v": 1, "ok": true, "engine": LABEL, ...} or
{"v": 1, "ok": false, "code": WORD, "error": TEXT}.
`hello` is answered whatever version it asks in, so that a stranger can learn ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

PROTOCOL = 1
LONGEST_LINE = 8192


class BadRequest(Exception):
    """What was asked for makes no sense; `code` is a word for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def reply_to(
    line: bytes, identity: dict[str, Any], handle: Callable[[dict[str, Any]], dict[str, Any]]
) -> bytes:
    """What `handle` answers to a message, as one line. Raises nothing a client could provoke."""
    try:
        message = _decode(line)
        if message.get("op") == "hello":
            facts = {**identity}
        elif message.get("v") == PROTOCOL:
            facts = {}
        else:
            raise BadRequest("version", f"this engine speaks version {PROTOCOL}")
        reply = {"ok": True, "engine": identity["engine"], **facts, **handle(message)}
    except BadRequest as error:
        reply = failure(error.code, str(error))
    except Exception as error:
        reply = failure("internal", f"{type(error).__name__}: {error}"[:200])
    return encode(reply)


def failure(code: str, text: str) -> dict[str, Any]:
    """An answer that says no."""
    return {"ok": False, "code": code, "error": text}


def encode(reply: dict[str, Any]) -> bytes:
    """One line of JSON."""
    return json.dumps({"v": PROTOCOL, **reply}, separators=(",", ":")).encode() + b"\n"


def _decode(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequest("json", "a line is one JSON object") from None
    if not isinstance(message, dict):
        raise BadRequest("json", "a line is one JSON object")
    return message
