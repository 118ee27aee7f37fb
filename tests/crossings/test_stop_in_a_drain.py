"""A stop in the last drain of a swap: of the old engine, which has handed over already."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from engines.serving import names, registry
from tests.crossings.world import KNOB, START, a_world, environment
from tests.supervisors import answering
from tests.waiting import PATIENCE_S, wait_until


def test_it_does_not_wait_for_the_drain_of_the_swap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment(tmp_path).items():
        monkeypatch.setenv(variable, value)
    with (
        a_world(tmp_path, "drain", supervised=True) as world,
        socket.create_connection(("127.0.0.1", world.port)) as unfinished,
    ):
        unfinished.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        wanted = ("swap", f"{KNOB}={2 * START}", "--strategy", "overlap", "--drain", "600s")
        world.ask(*wanted, "--engine", world.url)
        wait_until(lambda: registry.find_serving(names.leaving_name(world.name)) is not None)
        assert answering(world.name).state == "swapping"
        began = time.monotonic()
        world.ask("stop", world.name, "--drain", "1s")
        world.wait()
        assert time.monotonic() - began < PATIENCE_S / 2
        assert registry.list_serving() == []
