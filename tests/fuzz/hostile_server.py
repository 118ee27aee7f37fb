"""A server that answers as badly as it is told to, one connection after the other."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.json_text import dump
from tests.fuzz.mutations import Tree, line_of, mutated
from tests.fuzz.sound_answers import Answers
from tests.fuzz.strange_values import strange_value

MOST_SLOW = 2
"""So many connections of a case may be slow: each costs its client a whole deadline."""
MOST_ANSWERED = 40
"""After so many connections of a case nobody answers: a lie that is told for ever is followed for
ever where what it tells of may take for ever."""
_DRIP_S = 0.02


class HostileServer:
    """Serves at `path` until it is closed. `begin` says how the next connections are met."""

    def __init__(self, path: Path, answers: Answers) -> None:
        self._answers = answers
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._chance = Random(0)
        self._met = self._slow = 0
        self._idle = threading.Event()
        self._idle.set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def begin(self, chance: Random) -> None:
        """A case of its own, made from `chance`."""
        self._chance = Random(chance.random())
        self._met = self._slow = 0

    def wait_idle(self) -> bool:
        """Until nobody is connected any more; False if that did not come about."""
        return self._idle.wait(30.0)

    def close(self) -> None:
        """Serve nobody any more."""
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            self._idle.clear()
            try:
                self._meet(channel)
            except OSError:
                pass
            finally:
                channel.close()
                self._idle.set()

    def _meet(self, channel: socket.socket) -> None:
        self._met += 1
        chance = self._chance
        if self._met > MOST_ANSWERED or chance.random() < 0.02:
            return  # closed before it was heard
        channel.settimeout(10.0)
        request = b""
        while not request.endswith(b"\n") and (data := channel.recv(1 << 16)):
            request += data
        if self._slow < MOST_SLOW and chance.random() < 0.003:
            self._slow += 1
            chance.choice((_silent, _drip))(channel, chance)
            return
        chance.choice(_WAYS)(channel, chance, self._answer(request, chance))

    def _answer(self, request: bytes, chance: Random) -> bytes:
        answer = self._answers(request, chance)
        act = chance.random()
        if act < 0.25:
            return dump(answer)
        if act < 0.3:
            return dump(_refusal(chance))
        return line_of(chance, mutated(chance, answer))


def _refusal(chance: Random) -> Tree:
    codes = ("busy", "busy", "not now", "stale", "internal", strange_value(chance))
    return {"v": 1, "ok": False, "code": chance.choice(codes), "error": strange_value(chance)}


def _silent(channel: socket.socket, chance: Random) -> None:
    channel.recv(1)


def _drip(channel: socket.socket, chance: Random) -> None:
    channel.settimeout(_DRIP_S)
    while True:
        channel.send(b" ")
        try:
            if not channel.recv(1):
                return
        except TimeoutError:
            continue


def _whole(channel: socket.socket, chance: Random, answer: bytes) -> None:
    channel.sendall(answer + b"\n")


def _unfinished(channel: socket.socket, chance: Random, answer: bytes) -> None:
    channel.sendall(answer[: chance.randint(0, len(answer))])


def _split(channel: socket.socket, chance: Random, answer: bytes) -> None:
    answer += b"\n"
    while answer:
        size = chance.randint(1, 400)
        channel.sendall(answer[:size])
        answer = answer[size:]


def _endless(channel: socket.socket, chance: Random, answer: bytes) -> None:
    piece = chance.choice((b"x", b" ", b"[", b'{"ok":true,', answer)) or b"x"
    while True:
        channel.sendall(piece * (1 + (1 << 16) // len(piece)))


def _with_files(channel: socket.socket, chance: Random, answer: bytes) -> None:
    """With open files, none of them a listener; or with one among them."""
    with tempfile.TemporaryFile() as file, socket.socket() as unbound, _listening() as listener:
        files = [file.fileno(), unbound.fileno(), listener.fileno()]
        for piece in (answer[:1], answer[1:] + b"\n"):
            sent = [chance.choice(files) for _ in range(chance.choice((0, 1, 1, 3, 100)))]
            socket.send_fds(channel, [piece], sent)


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


_Way = Callable[[socket.socket, Random, bytes], None]
_WAYS: tuple[_Way, ...] = (*(_whole,) * 10, _split, _unfinished, _endless, _with_files, _with_files)
