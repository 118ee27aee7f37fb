"""Clients that ask one address without pause, each time on a new connection."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.waiting import PATIENCE_S, wait_until

PAUSE_S = 0.1


@dataclass
class Seen:
    """What clients got. `refused` and `unanswered` had no byte of an answer, `cut` had one that
    broke off."""

    whole: int = 0
    refused: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)


@contextlib.contextmanager
def clients(url: str) -> Iterator[Seen]:
    """One that streams its answers, one that does not."""
    seen, stop = Seen(), threading.Event()
    address = urlsplit(url).netloc

    def run(stream: bool) -> None:
        while not stop.wait(PAUSE_S):
            _ask(address, stream, seen)

    threads = [threading.Thread(target=run, args=(stream,)) for stream in (True, False)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: seen.whole > len(threads))
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _ask(address: str, stream: bool, seen: Seen) -> None:
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
    body = json.dumps({"model": "m", "prompt": "The", "stream": stream})
    failures = seen.unanswered
    try:
        connection.request("POST", "/v1/completions", body)
        reply = connection.getresponse()
        failures = seen.cut
        text = reply.read()
        ending = b"data: [DONE]\n\n" if stream else b"}"
        if reply.status == 200 and text.endswith(ending):
            seen.whole += 1
        else:
            failures.append(f"{reply.status} {text[-100:]!r}")
    except ConnectionRefusedError as error:
        seen.refused.append(repr(error))
    except (OSError, http.client.HTTPException) as error:
        failures.append(repr(error))
    finally:
        connection.close()
