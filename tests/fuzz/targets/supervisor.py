"""A supervisor's desk, nobody supervising: python -m tests.fuzz.targets.supervisor DIRECTORY

What it was asked is looked at as the supervising thread and the keeper would take it, then
forgotten.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.inside.trimtab_inside.private_socket.server import Server
from engines.launch.launch import Launch
from engines.serving.started import Started
from engines.supervisor.answering import SupervisorDesk
from engines.supervisor.common.memory import InSwap, Memory, from_line, to_line
from engines.supervisor.common.telling import begun
from engines.supervisor.states.context import Context, Requests
from engines.supervisor.states.lifecycle import Lifecycle
from engines.supervisor.states.state import Serving
from engines.supervisor.swap.candidate import launch_of
from engines.supervisor.swap.verify import texts_of
from engines.supervisor_client.swap_order import Order
from engines.variants.checkpoint.files import model_place
from engines.variants.checkpoint.weights import read_weights
from store.errors import TrimtabError
from tests.fuzz.sound_requests import SECRET
from tests.fuzz.targets.telling import tell_until_asked_to_end

LONGEST_WAIT_S = threading.TIMEOUT_MAX


def main() -> None:
    """Serve and tell."""
    path = Path(sys.argv[1]) / "supervisor-fuzz.sock"
    launch = Launch(
        name="fuzz",
        model="org/model",
        command=("vllm", "serve", "org/model", "--api-key", SECRET),
        environ={"VLLM_API_KEY": SECRET},
        address=("127.0.0.1", 9),
        url="http://127.0.0.1:9",
    )
    before = replace(launch, variant="before")
    with socket.socket() as listener:
        context = Context(Memory(launch, (before,)), listener, lambda _: None)
        supervisor = Lifecycle(context)
        supervisor._enter(Serving(Started("fuzz", 1, 1, launch.url, path)))
        server = Server(path, SupervisorDesk(supervisor))
        server.start()
        tell_until_asked_to_end(path, lambda: _state(context))
        server.stop()


def _state(context: Context) -> dict[str, Any]:
    """What was asked since it was last told, and what of it could not be done."""
    requests, context.requests = context.requests, Requests()
    fault = ""
    try:
        if requests.order is not None:
            _check_order(context, requests.order)
        if requests.drain_s is not None:
            _check_drain(context, requests.drain_s)
    except Exception as error:
        fault = f"it took what breaks a supervisor: {type(error).__name__}: {error}"[:400]
    asked = {
        "swap": requests.order is not None,
        "stop": requests.drain_s is not None,
        "call off": requests.call_off,
    }
    values = {name: True for name, is_asked in asked.items() if is_asked}
    return {"values": values, "calm": True, "fault": fault}


def _check_order(context: Context, order: Order) -> None:
    memory = replace(context.memory, under_way=InSwap(order))
    assert from_line(to_line(memory)) == memory, "the keeper reads another order than was taken"
    json.dumps(begun(order, "").to_json(), allow_nan=False)
    assert 0 <= order.start_s <= LONGEST_WAIT_S, order.start_s
    assert 0 <= order.drain_s <= LONGEST_WAIT_S, order.drain_s
    with suppress(TrimtabError):
        texts_of(order)
    if order.variant is not None:
        with suppress(TrimtabError):
            read_weights(model_place(order.variant.model))
        launch = launch_of(context.launch, order.variant)
        _check_command((launch.variant, launch.model, *launch.command, order.who, order.why))
        _check_command(tuple(word for pair in launch.environ.items() for word in pair))


def _check_command(words: tuple[str, ...]) -> None:
    """Whether these can be words of a command and of its environment."""
    for word in words:
        assert isinstance(word, str), type(word)
        assert b"\0" not in word.encode("utf-8", "surrogateescape"), "a zero byte"


def _check_drain(context: Context, drain_s: float) -> None:
    memory = context.memory.stopping(drain_s)
    assert from_line(to_line(memory)) == memory
    assert 0 <= drain_s <= LONGEST_WAIT_S, drain_s


if __name__ == "__main__":
    main()
