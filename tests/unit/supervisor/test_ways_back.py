"""The way back from a swap, where the engines on both ends are in a bad way."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.host import lifetime
from engines.inside.trimtab_inside.private_socket.protocol import BadRequest
from engines.launch.launch import Launch
from engines.serving import stopping
from engines.serving.started import Started
from engines.supervisor.common.memory import Memory
from engines.supervisor.states.context import Context
from engines.supervisor.states.lifecycle import Lifecycle
from engines.supervisor.states.serving import serve
from engines.supervisor.states.state import Serving
from engines.supervisor.swap import swap as swap_module
from engines.supervisor.swap.candidate import Candidate
from engines.supervisor.swap.swap import Swap, Wiring
from engines.supervisor_client.swap_order import Order
from engines.variants.checkpoint.weights import Weights
from engines.variants.variant import Variant
from store.errors import NotAchieved
from tests.unit.supervisor.stub_engine import prepare_nothing


@pytest.fixture
def launch(stub: Path) -> Launch:
    return replace(prepare_nothing(stub), name="back", url="http://127.0.0.1:9")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is started; nothing is."""
    names: list[str] = []

    def spawn(
        launch: Launch, _: socket.socket, *, held: bool = False, swap_id: str | None = None
    ) -> Started:
        names.append(launch.name)
        reason = "CUDA out of memory" if held else "No space left on device"
        raise NotAchieved(f"{'the new' if held else 'the old'} engine cannot be started", reason)

    monkeypatch.setattr(swap_module, "spawn", spawn)
    monkeypatch.setattr(swap_module, "read_weights", lambda _: Weights())
    return names


def engine(pid: int | None = None) -> Started:
    """This process in the place of the engine that runs, or one that has ended."""
    ticks = 1 if pid is not None else lifetime.start_ticks(os.getpid()) or 0
    return Started("back", pid or os.getpid(), ticks, "http://127.0.0.1:9", Path("/nowhere.log"))


def swap_of(
    order: Order, launch: Launch, listener: socket.socket, running: Started, **back: Any
) -> Swap:
    wiring = Wiring(listener, lambda *_: None, lambda: "", lambda *_: None)
    return Swap(order, (launch, running), wiring, **back)


def test_one_goes_back_from_an_engine_that_answers_nobody(
    launch: Launch,
    listener: socket.socket,
    spawned: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither its HTTP nor its plugin: that is what people go back from."""
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "1.sock"))
        hung.listen()
        monkeypatch.setattr(Candidate, "knob_sockets", lambda self: [tmp_path / "1.sock"])
        swap = swap_of(Order("s", None), launch, listener, engine(1 << 22), before=launch)
        swap.run()
    assert spawned[0].startswith("back@")
    assert swap.report.strategy == "stop-start"
    assert any("no live value is carried over" in line.text for line in swap.report.steps)


def test_both_reasons_are_told_where_the_old_engine_does_not_come_back(
    launch: Launch, listener: socket.socket, spawned: list[str]
) -> None:
    order = Order("s", None, strategy="stop-start")
    swap = swap_of(order, launch, listener, engine(1 << 22), before=launch)
    swap.run()
    swap.close()
    assert len(spawned) == 2
    assert swap.report.reason == (
        "the new engine cannot be started · CUDA out of memory · and the engine before it does not "
        "serve again yet: the old engine cannot be started · No space left on device"
    )


def test_an_engine_that_will_not_go_is_not_taken_for_one_that_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stays(name: str, drain_s: float, **_: object) -> None:
        raise stopping.WillNotGo(name, [7], Path("log"))

    monkeypatch.setattr(stopping, "stop", stays)
    with pytest.raises(stopping.WillNotGo):
        Candidate(engine()).end(1.0)


def test_a_second_order_is_refused_from_the_first_moment(
    launch: Launch, listener: socket.socket
) -> None:
    context = Context(Memory(launch), listener, lambda _: None)
    supervisor = Lifecycle(context)
    state = Serving(engine())
    supervisor._enter(state)
    first, second = Order("one", Variant("other", "m")), Order("two", Variant("other", "m"))
    supervisor.ask_swap(first)
    serve(context, state)  # gives the next state, which is not the present one yet
    with pytest.raises(BadRequest, match="a swap runs already"):
        supervisor.ask_swap(second)
