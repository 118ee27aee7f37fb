"""What another user does to be a nuisance: `python3 nuisance.py KIND [WORD]...`, run as that user.

Only the standard library is used. Prints `ready` once all stands, and goes on until it is killed.
"""

import contextlib
import os
import resource
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path


def ready() -> None:
    print("ready", flush=True)


def sleep() -> None:
    ready()
    time.sleep(1e6)


def spin() -> None:
    """System calls without end, and nothing else: what any program may do."""
    ready()
    while True:
        with contextlib.suppress(OSError):
            os.stat("/nowhere")  # noqa: PTH116 - as fast as it goes


def knock(*paths: str) -> None:
    """Connect to sockets without end."""
    ready()
    for path in cycle(paths):
        with socket.socket(socket.AF_UNIX) as channel, contextlib.suppress(OSError):
            channel.connect(path)


def call(port: str) -> None:
    """Connect to an address and hang up, without end."""
    ready()
    while True:
        with contextlib.suppress(OSError), socket.socket() as channel:
            channel.settimeout(1)
            channel.connect(("127.0.0.1", int(port)))


def hold(port: str, number: str) -> None:
    """Hold connections to an address, and say nothing on them; one that was closed is made anew."""
    selector = selectors.DefaultSelector()

    def dial() -> None:
        channel = socket.create_connection(("127.0.0.1", int(port)))
        selector.register(channel, selectors.EVENT_READ)

    for _ in range(int(number)):
        dial()
    ready()
    while True:
        for key, _ in selector.select():
            selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr] - a socket
            dial()


def listen(number: str) -> None:
    """Listen at many addresses."""
    held = []
    for place in _places(int(number)):
        held.append(socket.create_server(place))
    sleep()


def talk(number: str) -> None:
    """Have many connections of one's own."""
    held = []
    address, *places = _places(int(number) + 1)
    with socket.create_server(address, backlog=4096) as listener:
        for place in places:
            held.append(socket.create_connection(address, source_address=place))
            held.append(listener.accept()[0])
        sleep()


def litter(number: str) -> None:
    """Fill /tmp with files, and the place there that is for one's own sockets."""
    home = Path(f"/tmp/trimtab-{os.getuid()}")
    home.mkdir(mode=0o700, exist_ok=True)
    for index in range(int(number)):
        for path in (home / f"{index}.sock", Path(f"/tmp/trimtab-{index}-nuisance")):
            path.touch()
    sleep()


def _places(number: int) -> Iterator[tuple[str, int]]:
    """Addresses of this host that nobody else uses, other ones in each process."""
    net = os.getpid() % 200 + 10
    for index in count():
        if index == number:
            return
        yield f"127.{net}.{index // 200 % 250 + 1}.1", 20_000 + index % 200


def main() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kinds = {each.__name__: each for each in (spin, knock, call, hold, listen, talk, litter)}
    kinds[sys.argv[1]](*sys.argv[2:])


main()
