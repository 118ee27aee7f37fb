"""Clients that notice: every answer must be whole, whatever happens to the engine meanwhile."""

from __future__ import annotations

import http.client
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TOKENS = 24
THINK_S = 0.2


@dataclass
class Traffic:
    """What clients got; `failed` tells of everything but a whole answer."""

    done: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def traffic(url: str, model: str, clients: int = 8) -> Iterator[Traffic]:
    """Half of the clients keep their connection as long as the server lets them, half never."""
    seen, stop = Traffic(), threading.Event()
    lock = threading.Lock()

    def ask(keeps: bool) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
        while not stop.wait(THINK_S):
            problem = _problem(connection, model, keeps)
            with lock:
                seen.done += not problem
                seen.failed += [problem] if problem else []

    threads = [threading.Thread(target=ask, args=(n % 2 == 0,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _problem(connection: http.client.HTTPConnection, model: str, keeps: bool) -> str:
    """Ask once; what was wrong with the answer, '' for a whole one."""
    body = {"model": model, "max_tokens": TOKENS, "ignore_eos": True}
    text = json.dumps(body | {"prompt": f"The harbour {uuid.uuid4()}"})
    try:
        connection.request("POST", "/v1/completions", text, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        told = json.loads(reply.read())
        length = told["usage"]["completion_tokens"]
        reason = told["choices"][0]["finish_reason"]
        if not keeps or reply.will_close:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        connection.close()
        return repr(error)
    whole = (reply.status, length, reason) == (200, TOKENS, "length")
    return "" if whole else str(told)
