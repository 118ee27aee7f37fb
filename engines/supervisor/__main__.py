"""The keeper: reads a `Launch` as JSON on its standard input and keeps it supervised.

It does nothing but hold the listening socket and wait, so that there is little to go wrong in it.
The supervisor is a fork of it: one that was killed is followed by another, which finds the engine
as it is and takes it over. It ends with the supervisor's exit status.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from dataclasses import asdict
from functools import partial

from engines.launch import Launch
from engines.supervisor.supervisor import Supervisor

BACKLOG = 4096
"""Connections that wait while no engine accepts; the kernel may hold it lower (somaxconn)."""
PAUSE_S = 0.5


def main() -> int:
    """Keep until the supervisor ends by itself."""
    launch = read_launch(sys.stdin.read())
    try:
        listener = listen(launch.address)
    except OSError as error:
        sys.stderr.write(f"cannot listen on {launch.url}: {error.strerror}\n")
        return 1
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while True:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os._exit(Supervisor(launch, listener, partial(write_launch, writer)).run())
        os.close(writer)
        _pass_on(child)
        # After a swap another launch is in force. The pipe ends with the supervisor.
        with os.fdopen(reader, encoding="utf-8") as launches:
            for line in launches:
                launch = read_launch(line)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status)
        sys.stderr.write(f"the supervisor was killed by signal {os.WTERMSIG(status)}; again\n")
        time.sleep(PAUSE_S)


def _pass_on(child: int) -> None:
    """Let who asks the keeper to end ask the supervisor."""

    def tell(number: int, _: object) -> None:
        os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)


def read_launch(text: str) -> Launch:
    """A launch as `dataclasses.asdict` and JSON wrote it."""
    told = json.loads(text)
    for field in ("command", "address", "cores"):
        told[field] = tuple(told[field])
    return Launch(**told)


def write_launch(descriptor: int, launch: Launch) -> None:
    """Tell the keeper what to start from now on; it carries keys, so it goes over a pipe."""
    with os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(asdict(launch)) + "\n")


def listen(address: tuple[str, int]) -> socket.socket:
    """A listening socket that engines inherit one after the other."""
    family, kind, protocol, _, where = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(where)
    listener.listen(BACKLOG)
    return listener


if __name__ == "__main__":
    sys.exit(main())
