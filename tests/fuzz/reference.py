"""Which changes a line asks for, by the protocols' words alone: what else changes is a finding."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeGuard

from engines.inside.trimtab_inside.private_socket.protocol import LONGEST_LINE

BOUNDS: dict[str, tuple[Any, Any]] = {
    "enable_prefix_caching": (False, True),
    "max_num_seqs": (1, 32),
    "max_num_batched_tokens": (32, 256),
    "long_prefill_token_threshold": (0, 2048),
}
"""Of the knobs of `targets/plugin.py`, with both ends."""
_WEEK_S = 7 * 86_400

Asked = set[tuple[str, Any]]


def asked_in(protocol: str, sent: Iterable[bytes]) -> Asked:
    """The changes that are soundly asked for in what was sent: what has which value then."""
    asked: Asked = set()
    for line in b"\n".join(sent).split(b"\n"):
        message = _read(line)
        if message is not None:
            asked |= _OF_PROTOCOL[protocol](message)
    return asked


def may_fall_back(sent: Iterable[bytes]) -> bool:
    """Whether something in it makes values of before come back, now or by themselves."""
    messages = map(_read, b"\n".join(sent).split(b"\n"))
    return any(
        message is not None
        and (
            message.get("op") == "put_back"
            or (message.get("op") == "set" and (message.get("hold") or message.get("lease_s")))
        )
        for message in messages
    )


def _read(line: bytes) -> dict[str, Any] | None:
    if len(line) > LONGEST_LINE:
        return None
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and message.get("v") == 1 else None


def _knob(message: dict[str, Any]) -> Asked:
    knob, lease_s = message.get("knob"), message.get("lease_s")
    value: Any = message.get("value")
    if message.get("op") != "set" or not isinstance(knob, str) or knob not in BOUNDS:
        return set()
    low, high = BOUNDS[knob]
    sound = (
        type(value) is type(low)
        and value in range(low, high + 1)
        and message.get("cause", "set") in ("set", "undo")
        and _is_text(message.get("id"), 64)
        and _is_text(message.get("who"), 128)
        and (message.get("why", "") == "" or _is_text(message.get("why"), 400))
        and (message.get("undoes") is None or _is_text(message.get("undoes"), 64))
        and (lease_s is None or (_is_number(lease_s) and 0 < float(lease_s) <= _WEEK_S))
    )
    return {(knob, value)} if sound else set()


def _front(message: dict[str, Any]) -> Asked:
    words = {"open": True, "close": False}
    op = message.get("op")
    return {("accepting", words[op])} if isinstance(op, str) and op in words else set()


def _supervisor(message: dict[str, Any]) -> Asked:
    op, drain_s = message.get("op"), message.get("drain_s")
    if op == "swap" and isinstance(message.get("order"), dict):
        return {("swap", True)}
    if op == "stop" and _is_number(drain_s) and drain_s >= 0:
        return {("stop", True)}
    return {("call off", True)} if op == "call off" else set()


def _is_text(value: object, longest: int) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= longest
        and not any(0xD800 <= ord(character) < 0xE000 for character in value)
    )


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300  # neither an integer that is no float nor infinity nor NaN


_OF_PROTOCOL = {"plugin": _knob, "front": _front, "supervisor": _supervisor}
