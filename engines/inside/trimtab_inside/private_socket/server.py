"""One thread that serves the socket of this process. It sleeps until somebody speaks, and looks now
and then whether its socket is still there: what clears /tmp of old files takes it for one.

Everything about it is bounded: connections, length of a line, what may wait to be sent, and how
long a connection may be silent. One request is answered before the next is read, so a client that
does not read cannot make this process keep its answers.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Protocol

from ..common.log import say_once
from .protocol import LONGEST_LINE, encode, failure
from .sockets import (
    Refused,
    fault,
    file_of,
    listen,
    own_directory,
    peer_uid,
    place_again,
    prepare_directory,
    sweep,
)

MOST_CONNECTIONS = 16
SILENCE_S = 5.0
RETRY_S = 0.1
LOOK_S = 5.0
FRESH_S = 600.0
"""How often the socket is marked as used, so that nothing takes it for an old file."""
PATIENCE_S = 0.5
"""A connection silent for this long makes room when all places are taken."""

_current: dict[str, Server] = {}


class Desk(Protocol):
    """What answers on a socket."""

    def answer(self, line: bytes, received: float) -> tuple[bytes, tuple[int, ...]]:
        """The answer to one line, and the descriptors that go with it."""

    def tick(self) -> float | None:
        """Do what is due; seconds until it is needed again, or None."""

    def release(self) -> None:
        """Nobody will ask any more."""


def replace_server(role: str, desk: Desk, home: Path | None = None) -> Server:
    """This process's server of a role, listening but not yet started.

    A process has one socket a role. Where a second scheduler is constructed in it, the newest one
    is controlled and the one before gets its start values back.
    """
    before = _current.pop(role, None)
    if before is not None:
        before.stop()
    path = own_path(f"{role}.sock", home)
    server = _current[role] = Server(path, desk)
    return server


def own_path(ending: str, home: Path | None = None) -> Path:
    """Where this process puts a socket; it is removed when the process ends in good order."""
    if home is None:
        home = own_directory()
    else:
        prepare_directory(home)
    sweep(home)
    path = home / f"{os.getpid()}{ending}"
    Finalize(None, path.unlink, kwargs={"missing_ok": True}, exitpriority=1)
    return path


class _Connection:
    """A client: what it has sent and not been answered, what is still to be sent to it."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.inbox = b""
        self.outbox = b""
        self.descriptors: tuple[int, ...] = ()
        self.heard = time.monotonic()
        self.ending = False


class Server:
    """Serves `desk` on a listening socket at `path`."""

    def __init__(self, path: Path, desk: Desk) -> None:
        self.path = path
        self._desk = desk
        self._listener = listen(path)
        self._file = file_of(path)
        self._wake_reader, self._wake_writer = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._connections: dict[int, _Connection] = {}
        self._looked = self._freshened = time.monotonic()
        self._stopping = False
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="trimtab", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, put the start values back, remove the socket."""
        self._stopping = True
        if self._thread.is_alive():
            with self._closing:
                # Of its own accord it may have ended in between: the number can be another file's.
                if not self._closed:
                    os.write(self._wake_writer, b"x")
            self._thread.join(timeout=2)
        else:
            self._close()

    def _run(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        try:
            while not self._stopping:
                self._turn()
        except Exception as error:
            say_once("has stopped listening", error)
        finally:
            self._close()

    def _close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._selector.close()
        self._listener.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)
        with contextlib.suppress(OSError):
            if self._is_in_place():
                self.path.unlink()
        self._desk.release()

    def _turn(self) -> None:
        events = self._selector.select(self._patience())
        received = time.monotonic()
        for key, mask in events:
            if key.fileobj is self._listener:
                self._accept()
            elif key.data is not None and key.fd in self._connections:
                self._serve(key.data, mask, received)
        for connection in list(self._connections.values()):
            if received - connection.heard > SILENCE_S:
                self._drop(connection)
        if received - self._looked >= LOOK_S:
            self._looked = received
            self._stay_there(received)

    def _stay_there(self, now: float) -> None:
        """Listen anew where somebody has removed the socket, its directory maybe with it; in
        another place where that has been taken since."""
        try:
            if not self._is_in_place():
                path = place_again(self.path)
                listener = listen(path)
                self.path, self._file = path, file_of(path)
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = listener
                self._selector.register(listener, selectors.EVENT_READ)
            elif now - self._freshened >= FRESH_S:
                self._freshened = now
                for own in self.path.parent.glob(f"{os.getpid()}*"):
                    os.utime(own)
                os.utime(self.path)
        except (OSError, Refused) as error:
            say_once("cannot keep its socket", error)

    def _is_in_place(self) -> bool:
        """Whether whoever asks at our path still finds us there, and trusts its directory."""
        try:
            return file_of(self.path) == self._file and not fault(self.path.parent, os.geteuid())
        except OSError:
            return False

    def _patience(self) -> float:
        """Seconds until a lease, a held change or a silent connection runs out, or one looks."""
        now = time.monotonic()
        waits = [self._desk.tick(), self._looked + LOOK_S - now]
        waits += [connection.heard + SILENCE_S - now for connection in self._connections.values()]
        return max(0.0, min(wait for wait in waits if wait is not None)) + 0.001

    def _accept(self) -> None:
        try:
            channel, _ = self._listener.accept()
        except OSError:
            time.sleep(RETRY_S)
            return
        channel.setblocking(False)
        if peer_uid(channel) not in (os.geteuid(), 0):
            channel.close()
            return
        if len(self._connections) >= MOST_CONNECTIONS and not self._make_room():
            _send_last(channel, encode(failure("busy", "too many connections, try again")))
            return
        connection = _Connection(channel)
        self._connections[channel.fileno()] = connection
        self._selector.register(channel, selectors.EVENT_READ, connection)

    def _make_room(self) -> bool:
        oldest = min(self._connections.values(), key=lambda connection: connection.heard)
        if time.monotonic() - oldest.heard < PATIENCE_S:
            return False
        self._drop(oldest)
        return True

    def _serve(self, connection: _Connection, mask: int, received: float) -> None:
        try:
            if mask & selectors.EVENT_READ:
                self._read(connection, received)
            else:
                self._write(connection)
            self._answer(connection, received)
        except OSError:
            connection.ending, connection.outbox = True, b""
        if connection.ending and not connection.outbox:
            self._drop(connection)
            return
        events = selectors.EVENT_WRITE if connection.outbox else selectors.EVENT_READ
        self._selector.modify(connection.channel, events, connection)

    def _read(self, connection: _Connection, received: float) -> None:
        data = connection.channel.recv(LONGEST_LINE)
        if not data:
            connection.ending = True
            return
        connection.inbox += data
        if b"\n" in data:
            connection.heard = received

    def _answer(self, connection: _Connection, received: float) -> None:
        while connection.inbox and not connection.outbox:
            line, newline, unread = connection.inbox.partition(b"\n")
            if len(line) > LONGEST_LINE:
                text = f"a line has at most {LONGEST_LINE} bytes"
                connection.outbox, unread = encode(failure("long", text)), b""
                connection.ending = True
            elif newline:
                connection.outbox, connection.descriptors = self._desk.answer(line, received)
            else:
                return
            connection.inbox = unread
            self._write(connection)

    def _write(self, connection: _Connection) -> None:
        try:
            sent = _send(connection)
        except BlockingIOError:
            return
        connection.outbox = connection.outbox[sent:]
        connection.descriptors = ()

    def _drop(self, connection: _Connection) -> None:
        self._connections.pop(connection.channel.fileno(), None)
        self._selector.unregister(connection.channel)
        connection.channel.close()


def _send(connection: _Connection) -> int:
    if connection.descriptors:
        return socket.send_fds(connection.channel, [connection.outbox], connection.descriptors)
    return connection.channel.send(connection.outbox)


def _send_last(channel: socket.socket, line: bytes) -> None:
    with contextlib.suppress(OSError):
        channel.send(line)
    channel.close()
