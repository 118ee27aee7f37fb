"""Client of the private socket that `trimtab_inside` opens in each EngineCore process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from store.errors import EngineUnreachable, NotAchieved
from store.records import Cause, Change, KnobState, KnobValue, Outcome

PROTOCOL = 1
DEADLINE_S = 2.0
MOST_BYTES = 1 << 20
BUSY_PAUSE_S = 0.05
HOLD_S = 3.0
"""For how long an engine keeps a change that nobody confirms."""


class ControlLost(EngineUnreachable):
    """The control socket of an engine cannot be used: nobody there, no answer in time, not ours."""


class ControlRefused(NotAchieved):
    """The engine's control socket understood and said no; `code` is its word for why."""

    def __init__(self, what: str, code: str) -> None:
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, slots=True)
class Hello:
    """Who answers on a socket. `engine` labels the EngineCore, `seq` numbers its last change."""

    protocol: int
    pid: int
    vllm_version: str
    engine: str
    dp_rank: int
    scheduler: str
    seq: int


def socket_path(pid: int, uid: int) -> Path:
    """Where an EngineCore process `pid` run by `uid` has its socket, if it has one."""
    return Path(f"/tmp/trimtab-{uid}/{pid}.sock")  # noqa: S108 - see trimtab_inside.sockets


class PluginClient:
    """Speaks to one EngineCore. Each call is one connection and has one total deadline (seconds).

    Every method raises ControlLost where no sound answer came, ControlRefused where it was no.
    """

    def __init__(self, path: Path, *, deadline_s: float = DEADLINE_S) -> None:
        self.path = path
        self._deadline_s = deadline_s

    def hello(self) -> Hello:
        """Who is there. Any protocol version answers this."""
        reply = self._ask({"op": "hello"})
        return Hello(
            protocol=_int(reply, "protocol"),
            pid=_int(reply, "pid"),
            vllm_version=_text(reply, "vllm_version"),
            engine=_text(reply, "engine"),
            dp_rank=_int(reply, "dp_rank"),
            scheduler=_text(reply, "scheduler"),
            seq=_int(reply, "seq"),
        )

    def knobs(self) -> list[KnobState]:
        """Every knob as this engine has it now."""
        return [_knob_state(_object(item)) for item in _list(self._ask({"op": "knobs"}), "knobs")]

    def set(self, change: Change, *, hold: bool = False) -> Change:
        """Apply `change.to_value` between two steps; the answer's outcome says whether it took.

        With `hold` the engine puts the value back by itself unless `confirm` follows in `HOLD_S`.
        """
        return self._change(
            {
                "op": "set",
                "id": change.id,
                "knob": change.knob,
                "value": change.to_value,
                "who": change.who,
                "why": change.why,
                "cause": change.cause,
                "lease_s": change.lease_s,
                "undoes": change.undoes,
                "hold": hold,
            }
        )

    def confirm(self, change_id: str) -> Change:
        """Let a held change stand."""
        return self._change({"op": "confirm", "id": change_id})

    def put_back(self, change_id: str, why: str) -> Change:
        """Undo a change as if it had not been, unless its knob was changed again since."""
        return self._change({"op": "put_back", "id": change_id, "why": why})

    def journal(self, since: int = 0) -> tuple[int, list[Change]]:
        """The number of the last change, and the changes after `since`, oldest first."""
        reply = self._ask({"op": "journal", "since": since})
        label = _text(reply, "engine")
        entries = [_change(_object(item), label) for item in _list(reply, "entries")]
        return _int(reply, "seq"), entries

    def _change(self, message: Mapping[str, Any]) -> Change:
        reply = self._ask(message)
        return _change(_object(reply.get("change")), _text(reply, "engine"))

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """One question, one answer. Asks again while the engine says it is busy."""
        until = time.monotonic() + self._deadline_s
        line = json.dumps({"v": PROTOCOL, **message}).encode() + b"\n"
        while True:
            reply = self._parse(self._exchange(line, until))
            if reply.get("ok") is True:
                return reply
            code, text = str(reply.get("code")), _clean(str(reply.get("error")))
            if code != "busy" or time.monotonic() + BUSY_PAUSE_S >= until:
                raise ControlRefused(text, code)
            time.sleep(BUSY_PAUSE_S)

    def _exchange(self, line: bytes, until: float) -> bytes:
        received = b""
        try:
            with self._connect(until) as channel:
                self._check_peer(channel)
                # An engine with no place left answers and closes before it has read.
                with contextlib.suppress(BrokenPipeError):
                    channel.sendall(line)
                while not received.endswith(b"\n") and len(received) <= MOST_BYTES:
                    _arm(channel, until)
                    data = channel.recv(1 << 16)
                    if not data:
                        break
                    received += data
        except TimeoutError:
            raise self._lost(f"no answer within {self._deadline_s:g} s") from None
        except ConnectionResetError:
            return received
        except OSError as error:
            raise self._lost(error.strerror or type(error).__name__) from None
        return received

    def _connect(self, until: float) -> socket.socket:
        """A connection; where the engine's queue for them is full, wait for a place."""
        while True:
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                _arm(channel, until)
                channel.connect(str(self.path))
            except BlockingIOError:
                channel.close()
                time.sleep(BUSY_PAUSE_S)
            except BaseException:
                channel.close()
                raise
            else:
                return channel

    def _check_peer(self, channel: socket.socket) -> None:
        """Speak to engines of the owner of the socket's directory only, not to an impostor's."""
        size = struct.calcsize("3i")
        uid = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[
            1
        ]
        if uid not in (os.geteuid(), _owner(self.path.parent)):
            raise self._lost(f"its socket is served by uid {uid}")

    def _parse(self, received: bytes) -> dict[str, Any]:
        try:
            reply = json.loads(received)
        except (ValueError, RecursionError):
            raise self._lost("the answer is cut off or no JSON") from None
        return _object(reply)

    def _lost(self, reason: str) -> ControlLost:
        return ControlLost(
            f"engine process {self.path.stem} cannot be controlled",
            reason,
            "see `trimtab engines` for the engines that can",
        )


def _owner(directory: Path) -> int:
    return directory.stat().st_uid


def _arm(channel: socket.socket, until: float) -> None:
    """Let the next call take no longer than what is left of the deadline."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    channel.settimeout(left)


def _knob_state(item: Mapping[str, Any]) -> KnobState:
    return KnobState(
        name=_text(item, "name"),
        kind="live" if item.get("kind") == "live" else "swap",
        value=_value(item.get("value")),
        start=_value(item.get("start")),
        minimum=_int_or_none(item.get("minimum")),
        maximum=_int_or_none(item.get("maximum")),
        reason=_text(item, "reason"),
    )


def _change(item: Mapping[str, Any], label: str) -> Change:
    outcome, cause = item.get("outcome"), item.get("cause")
    if outcome not in get_args(Outcome) or cause not in get_args(Cause):
        raise _strange("outcome")
    return Change(
        id=_text(item, "id"),
        ts_ms=_int(item, "ts_ms"),
        knob=_text(item, "knob"),
        from_value=_value(item.get("from")),
        to_value=_value(item.get("to")),
        outcome=cast(Outcome, outcome),
        cause=cast(Cause, cause),
        who=_text(item, "who"),
        why=_text(item, "why"),
        reason=_text(item, "reason"),
        took_ms=_float_or_none(item.get("took_ms")),
        lease_s=_float_or_none(item.get("lease_s")),
        undoes=None if item.get("undoes") is None else _text(item, "undoes"),
        per_engine={label: cast(str, outcome)},
    )


def _strange(field: str) -> ControlLost:
    return ControlLost(
        "the engine's control socket speaks strangely",
        f"`{field}` is not what was agreed",
        "trimtab and the engine's plugin may differ in version: start it with `trimtab serve`",
    )


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise _strange("answer")
    return item


def _list(item: Mapping[str, Any], field: str) -> list[Any]:
    found = item.get(field)
    if not isinstance(found, list):
        raise _strange(field)
    return found


def _text(item: Mapping[str, Any], field: str) -> str:
    found = item.get(field)
    if not isinstance(found, str):
        raise _strange(field)
    return _clean(found)


def _int(item: Mapping[str, Any], field: str) -> int:
    found = _int_or_none(item.get(field))
    if found is None:
        raise _strange(field)
    return found


def _int_or_none(found: Any) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _float_or_none(found: Any) -> float | None:
    return None if isinstance(found, bool) or not isinstance(found, (int, float)) else float(found)


def _value(found: Any) -> KnobValue | None:
    return found if isinstance(found, (bool, int)) else None


def _clean(text: str) -> str:
    """Text from outside, without control characters and of bearable length."""
    return "".join(character for character in text if character.isprintable())[:500]
