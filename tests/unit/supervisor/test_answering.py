"""What a supervisor says to requests that make no sense: one clear no."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.launch.launch import Launch
from engines.serving.started import Started
from engines.supervisor.answering import SupervisorDesk
from engines.supervisor.common.memory import Memory
from engines.supervisor.states.context import Context
from engines.supervisor.states.lifecycle import Lifecycle
from engines.supervisor.states.state import Serving
from engines.supervisor_client.swap_order import Order
from engines.variants.variant import Variant


@pytest.fixture
def context() -> Iterator[Context]:
    launch = Launch("a", "m", ("vllm", "serve", "m"), {}, ("127.0.0.1", 9), "http://127.0.0.1:9")
    with socket.socket() as listener:
        yield Context(Memory(launch), listener, lambda _: None)


@pytest.fixture
def desk(context: Context) -> SupervisorDesk:
    supervisor = Lifecycle(context)
    supervisor._enter(Serving(Started("a", 1, 1, "http://127.0.0.1:9", Path("/log"))))
    return SupervisorDesk(supervisor)


def say(desk: SupervisorDesk, **message: Any) -> dict[str, Any]:
    line, descriptors = desk.answer(json.dumps({"v": 1, **message}).encode(), 0.0)
    assert descriptors == ()
    reply: dict[str, Any] = json.loads(line)
    return reply


@pytest.mark.parametrize("drain_s", [float("nan"), float("inf"), -1, 10**400, 1e300, "1", None])
def test_a_drain_is_a_time_that_can_be_waited_for(
    desk: SupervisorDesk, context: Context, drain_s: object
) -> None:
    assert say(desk, op="stop", drain_s=drain_s)["code"] == "drain_s"
    assert context.requests.drain_s is None


@pytest.mark.parametrize("order", [None, {}, [], "id", {"variant": None}])
def test_no_order_is_taken_that_is_none(
    desk: SupervisorDesk, context: Context, order: object
) -> None:
    assert say(desk, op="swap", order=order)["code"] == "order"
    assert context.requests.order is None


def test_a_sound_order_and_a_sound_stop_are_taken(desk: SupervisorDesk, context: Context) -> None:
    order = Order("id", Variant("int4", "m"))
    assert say(desk, op="swap", order=order.to_json())["ok"]
    assert context.requests.order == order
    assert say(desk, op="stop", drain_s=2)["ok"]
    assert context.requests.drain_s == 2.0
