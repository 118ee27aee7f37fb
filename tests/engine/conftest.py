"""One real vLLM for all engine tests, started as `trimtab serve` starts it, and load for it.

With `--vllm V` it is the provisioned vLLM of that version.
"""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engines.control.knobs import read_knobs, set_knob
from engines.discovery.find import probe
from engines.launch.launch import LaunchSpec
from engines.provision import environment_of, find_environment
from engines.provision.places import VLLM_VERSION
from engines.serving.startup import wait_healthy
from engines.supervisor.start import start_supervised
from engines.supervisor_client import client
from store.errors import BadInput
from tests.engine.versions.collecting import pytest_runtest_logreport, pytest_sessionfinish
from tests.waiting import wait_until

__all__ = ["pytest_runtest_logreport", "pytest_sessionfinish"]

MODEL = "tiny"
ARGUMENTS = ("--max-model-len", "2048", "--max-num-seqs", "32", "--dtype", "half")
START_S = 600.0
"""Some versions compile at their first start, which takes minutes on a busy machine."""

PREFIX = "You answer questions about the harbour, its ships and the weather. " * 60


@dataclass
class LiveEngine:
    """A served engine: where it answers, its topmost process, and the plugin's sockets."""

    name: str
    url: str
    pid: int
    sockets: tuple[Path, ...]

    def complete(self, prompt: str | list[int], tokens: int = 32) -> dict[str, Any]:
        """One completion of a text or of token ids; raises on anything but a whole answer."""
        body = {"model": MODEL, "prompt": prompt, "max_tokens": tokens, "ignore_eos": True}
        request = urllib.request.Request(
            f"{self.url}/v1/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            reply: dict[str, Any] = json.load(answer)
        assert reply["choices"][0]["finish_reason"] == "length", reply["choices"][0]
        return reply

    def found_again(self) -> None:
        """After a swap: the process that has the address now, and its sockets."""
        found = probe(self.url)
        assert found.pid is not None
        self.pid, self.sockets = found.pid, found.sockets

    def metric(self, name: str, **labels: str) -> float:
        """A sample of the engine's metrics page, summed over its series with these labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            page = answer.read().decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@dataclass
class Load:
    """What clients that ask one after the other have got so far."""

    done: int = 0
    failed: list[str] = field(default_factory=list)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n` one worker runs them all: two engines at once would want the cores of one."""
    for item in items:
        if item.get_closest_marker("engine") is not None:
            item.add_marker(pytest.mark.xdist_group("engine"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vllm", metavar="V", help="the version of vLLM to run the engine tests on")
    parser.addoption("--findings", type=Path, help="the directory to keep what they find in")


def need_environment(version: str = VLLM_VERSION) -> None:
    """Skip where there is no vLLM to run; fail where nobody reads the list of skipped tests."""
    if find_environment(version=version) is None:
        missing = f"vLLM {version} is not there: run `trimtab provision --version {version}`"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture(scope="session")
def version(request: pytest.FixtureRequest) -> str:
    """The version of vLLM that is tried."""
    chosen: str = request.config.getoption("--vllm", default=None) or VLLM_VERSION
    need_environment(chosen)
    return chosen


@contextmanager
def serving(version: str, name: str) -> Iterator[LiveEngine]:
    """A supervised engine of this version, healthy; it is stopped with the block."""
    python = environment_of(version).python
    spec = LaunchSpec(MODEL, name=name, arguments=ARGUMENTS, python=python)
    started = start_supervised(spec)
    try:
        wait_healthy(started, START_S)
        yield LiveEngine(started.name, started.url, started.pid, probe(started.url).sockets)
    finally:
        with suppress(BadInput):  # it was stopped within the block
            client.stop(started.name, drain_s=5)


@pytest.fixture(scope="session")
def served(version: str) -> Iterator[LiveEngine]:
    with serving(version, f"test-{os.getpid()}") as engine:
        yield engine


@pytest.fixture
def engine(served: LiveEngine) -> Iterator[LiveEngine]:
    """The engine with its start values in force, before and after."""
    restore(served)
    yield served
    restore(served)


def restore(served: LiveEngine) -> None:
    for state in read_knobs(served.sockets):
        if state.kind == "live" and state.value != state.start and state.start is not None:
            change = set_knob(served.sockets, state.name, state.start, who="tests")
            assert change.outcome == "applied", change


@pytest.fixture
def under_load(engine: LiveEngine) -> Callable[..., Any]:
    """`with under_load(clients=8) as load:` keeps the engine busy with one long shared prefix."""

    @contextmanager
    def loaded(clients: int = 8, tokens: int = 32) -> Iterator[Load]:
        load, stop = Load(), threading.Event()

        def ask(client: int) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    engine.complete(f"{PREFIX} Question {client} {number}?", tokens)
                    load.done += 1
                except Exception as error:
                    load.failed.append(repr(error))

        threads = [threading.Thread(target=ask, args=(client,)) for client in range(clients)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: load.done > clients)
            yield load
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    return loaded
