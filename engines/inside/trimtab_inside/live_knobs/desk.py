"""What is answered on the socket of a scheduler's process: its knobs, and changes of them.

Ops besides `hello`: knobs, set, confirm, put_back, journal.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ..private_socket.protocol import BadRequest, reply_to
from .board import Board, Request

_LONGEST_LEASE_S = 7 * 86_400
_LARGEST = 2**53
_LONGEST = {"id": 64, "knob": 64, "who": 128, "why": 400, "undoes": 64}


class KnobDesk:
    """Answers for the knobs of one scheduler."""

    def __init__(self, board: Board, identity: dict[str, Any]) -> None:
        self._board = board
        self._identity = identity

    def answer(self, line: bytes, received: float) -> tuple[bytes, tuple[int, ...]]:
        """The answer to one line, newline included, and no descriptors."""
        reply = reply_to(
            line, self._identity, lambda message: _handle(message, self._board, received)
        )
        return reply, ()

    def tick(self) -> float | None:
        """Let go of what has run out; seconds until the next one does."""
        return self._board.tick()

    def release(self) -> None:
        """Put the start values back."""
        self._board.release()


def _handle(message: dict[str, Any], board: Board, received: float) -> dict[str, Any]:
    op = message.get("op")
    if op == "hello":
        return {"seq": board.journal.seq}
    if op == "knobs":
        return {"knobs": board.describe()}
    if op == "journal":
        return {
            "seq": board.journal.seq,
            "entries": board.journal.since(_whole_number(message, "since")),
        }
    if op == "set":
        return {"change": _set(message, board, received)}
    if op == "confirm":
        return {"change": _held(board.confirm, _text(message, "id"))}
    if op == "put_back":
        reason = _text(message, "why", "") or "asked for"
        put_back = partial(board.put_back, reason=reason)
        return {"change": _held(put_back, _text(message, "id"))}
    raise BadRequest("op", "ops are hello, knobs, set, confirm, put_back, journal")


def _set(message: dict[str, Any], board: Board, received: float) -> dict[str, Any]:
    cause = message.get("cause", "set")
    if cause not in ("set", "undo"):
        raise BadRequest("cause", "cause is set or undo")
    value = message.get("value")
    if not isinstance(value, (bool, int)) or abs(value) > _LARGEST:
        raise BadRequest("value", "value is true, false or a whole number that JSON keeps exact")
    request = Request(
        id=_text(message, "id"),
        knob=_text(message, "knob"),
        value=value,
        who=_text(message, "who"),
        why=_text(message, "why", ""),
        cause=cause,
        undoes=None if message.get("undoes") is None else _text(message, "undoes"),
        lease_s=_lease(message.get("lease_s")),
        hold=message.get("hold") is True,
    )
    try:
        return board.set(request, received)
    except KeyError:
        names = ", ".join(knob["name"] for knob in board.describe())
        raise BadRequest("knob", f"knobs are {names}") from None


def _held(act: Any, change_id: str) -> dict[str, Any]:
    try:
        change: dict[str, Any] = act(change_id)
    except KeyError:
        raise BadRequest("change", "no such change stands here") from None
    return change


def _text(message: dict[str, Any], field: str, default: str | None = None) -> str:
    text = message.get(field, default)
    if not isinstance(text, str) or (default is None and not text):
        raise BadRequest(field, f"{field} is missing")
    if len(text) > _LONGEST[field]:
        raise BadRequest(field, f"{field} is longer than {_LONGEST[field]} characters")
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can hold half of a character, a log and a hash cannot
        raise BadRequest(field, f"{field} is not all characters") from None
    return text


def _whole_number(message: dict[str, Any], field: str) -> int:
    number = message.get(field, 0)
    if isinstance(number, bool) or not isinstance(number, int):
        raise BadRequest(field, f"{field} is a whole number")
    return number


def _lease(seconds: Any) -> float | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise BadRequest("lease_s", "lease_s is a number of seconds")
    if not 0 < seconds <= _LONGEST_LEASE_S:  # NaN is not, either
        raise BadRequest("lease_s", f"lease_s is above 0 and at most {_LONGEST_LEASE_S}")
    return float(seconds)
