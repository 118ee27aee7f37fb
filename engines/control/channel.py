"""One question and one answer over a private Unix socket, with one total deadline."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.control.wire import ControlLost, ControlRefused, cleaned, record
from engines.host.listeners import peer_of

PROTOCOL = 1
DEADLINE_S = 2.0
MOST_BYTES = 1 << 20
BUSY_PAUSE_S = 0.05


class Channel:
    """Speaks to one socket. Each question is a connection and has one total deadline (seconds).

    `ask` raises ControlLost where no sound answer came, ControlRefused where it was no.
    """

    def __init__(self, path: Path, deadline_s: float = DEADLINE_S) -> None:
        self.path = path
        self._deadline_s = deadline_s

    def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """One question, one answer. Asks again while the engine says it is busy."""
        until = time.monotonic() + self._deadline_s
        line = json.dumps({"v": PROTOCOL, **message}).encode() + b"\n"
        while True:
            reply = self._parse(self._exchange(line, until))
            if reply.get("ok") is True:
                return reply
            code, text = str(reply.get("code")), cleaned(str(reply.get("error")))
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
                    data = self._receive(channel)
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

    def _receive(self, channel: socket.socket) -> bytes:
        return channel.recv(1 << 16)

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
        uid = peer_of(channel).uid
        if uid not in (os.geteuid(), _owner(self.path.parent)):
            raise self._lost(f"its socket is served by uid {uid}")

    def _parse(self, received: bytes) -> dict[str, Any]:
        try:
            reply = json.loads(received)
        except (ValueError, RecursionError):
            raise self._lost("the answer is cut off or no JSON") from None
        return record(reply)

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
    remaining_s = until - time.monotonic()
    if remaining_s <= 0:
        raise TimeoutError
    channel.settimeout(remaining_s)
