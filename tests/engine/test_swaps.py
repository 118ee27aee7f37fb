"""Swaps of the real engine under load: through and back, and rolled back; nobody is refused."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from engines import serving
from engines.discovery import probe
from engines.knobs import read_knobs, set_knob
from engines.provision import find_environment
from engines.provision.environment import made_models
from engines.quality.thresholds import Thresholds
from engines.supervisor import client
from engines.supervisor.order import Order, Strategy
from engines.variants import Variant
from tests.engine.conftest import MODEL, LiveEngine, wait_until

LOOSE = Thresholds(max_loglik_drop=0.5, min_top1_agreement=0.3, max_kl=1.0)
"""The demo's weights are random: 4 bits change their order of preference more than a trained
model's, and that is not what these tests are about."""
TOKENS = 24
THINK_S = 0.2


@dataclass
class Traffic:
    """What clients got; `failed` tells of everything but a whole answer."""

    done: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def traffic(engine: LiveEngine, clients: int = 8) -> Iterator[Traffic]:
    """Half of the clients keep their connection as long as the server lets them, half never."""
    seen, stop = Traffic(), threading.Event()
    address = urlsplit(engine.url).netloc

    def ask(keeps: bool) -> None:
        connection = http.client.HTTPConnection(address, timeout=300)
        body = {"model": MODEL, "max_tokens": TOKENS, "ignore_eos": True}
        while not stop.wait(THINK_S):
            text = json.dumps(body | {"prompt": f"The harbour {uuid.uuid4()}"})
            try:
                connection.request(
                    "POST", "/v1/completions", text, {"Content-Type": "application/json"}
                )
                reply = connection.getresponse()
                told = json.loads(reply.read())
                whole = told["usage"]["completion_tokens"] == TOKENS
                if (
                    reply.status != 200
                    or not whole
                    or told["choices"][0]["finish_reason"] != "length"
                ):
                    seen.failed.append(str(told))
                seen.done += 1
                if not keeps or reply.will_close:
                    connection.close()
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                seen.failed.append(repr(error))
                connection.close()

    threads = [threading.Thread(target=ask, args=(n % 2 == 0,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def swap(
    engine: LiveEngine,
    variant: Variant,
    strategy: Strategy,
    start_s: float = 300,
    limits: Thresholds = LOOSE,
) -> dict[str, Any]:
    order = Order(
        uuid.uuid4().hex, variant, strategy, start_s=start_s, who="tests", thresholds=limits
    )
    result = client.swap(engine.name, order, print)
    found = probe(engine.url)
    assert found.pid is not None
    engine.pid, engine.sockets = found.pid, found.sockets
    return result


def model(name: str) -> str:
    assert find_environment() is not None
    return str(made_models()[name])


def test_there_and_back_under_load(engine: LiveEngine) -> None:
    first = engine.pid
    set_knob(engine.sockets, "max_num_seqs", 16, who="tests")
    with traffic(engine) as seen:
        there = swap(engine, Variant("int4", model("tiny-int4"), ("--dtype", "half")), "overlap")
        assert there["outcome"] == "done", there
        second = engine.pid
        knobs = {knob.name: knob.value for knob in read_knobs(engine.sockets)}
        back = swap(engine, Variant("float", model("tiny"), ("--dtype", "float32")), "stop-start")
        assert back["outcome"] == "done", back
    assert seen.failed == []
    assert seen.done > 50
    assert len({first, second, engine.pid}) == 3
    assert knobs["max_num_seqs"] == 16
    old, new = there["evidence"]["old"], there["evidence"]["new"]
    assert new["weight_bytes"] < old["weight_bytes"]
    assert any("WNA16" in kernel for kernel in new["kernels"])
    quality = there["evidence"]["quality"]
    assert quality["loglik_new"] != quality["loglik_old"]
    assert there["waited_s"] == 0 < back["waited_s"] < back["took_s"]


@pytest.mark.parametrize(
    ("variant", "start_s", "reason"),
    [
        (Variant("gone", "/nowhere/model"), 300, "cannot be served"),
        (Variant("odd", MODEL, ("--kv-cache-dtype", "bogus")), 300, "bogus"),
        (Variant("slow", MODEL, ("--max-num-seqs", "64")), 2, "does not answer after 2 s"),
        (
            Variant("dies", MODEL, environment={"VLLM_CPU_OMP_THREADS_BIND": "nonsense"}),
            300,
            "the engine ended while starting",
        ),
        (
            Variant(
                "nothing",
                MODEL,
                ("--quantization", "int8_per_channel_weight_only", "--dtype", "half"),
            ),
            300,
            "quantised 0 layers: it changed nothing",
        ),
    ],
    ids=[
        "path is missing",
        "arguments are rejected",
        "never healthy",
        "dies while loading",
        "changes nothing",
    ],
)
def test_what_does_not_hold_is_rolled_back_under_load(
    engine: LiveEngine, variant: Variant, start_s: float, reason: str
) -> None:
    before = engine.pid
    if variant.model == MODEL:
        variant = replace(variant, model=model(MODEL))
    with traffic(engine, clients=2) as seen:
        result = swap(engine, variant, "overlap", start_s=start_s)
        done = seen.done
        wait_until(lambda: seen.done > done + 4)
    assert result["outcome"] == "rolled back"
    assert reason in result["reason"]
    assert engine.pid == before
    assert seen.failed == []


def test_a_worse_engine_is_rolled_back(engine: LiveEngine) -> None:
    before = engine.pid
    variant = Variant("int4", model("tiny-int4"), ("--dtype", "half"))
    with traffic(engine, clients=2) as seen:
        result = swap(engine, variant, "stop-start", limits=Thresholds())
    assert result["outcome"] == "rolled back"
    assert "its quality fails: log-likelihood changed by" in result["reason"]
    assert result["evidence"]["quality"]["outcome"] == "fail"
    assert engine.pid != before  # started again with the old command
    assert engine.complete("The harbour", 4)["usage"]["completion_tokens"] == 4
    assert seen.failed == []


@pytest.mark.parametrize("strategy", ["overlap", "stop-start"])
def test_a_supervisor_killed_in_the_midst_is_followed_by_one_that_goes_back(
    engine: LiveEngine, strategy: Strategy
) -> None:
    before = engine.pid
    variant = Variant("int4", model("tiny-int4"), ("--dtype", "half"))
    order = Order(uuid.uuid4().hex, variant, strategy, who="tests", thresholds=LOOSE)
    killed: list[int] = []

    def kill_at_start(step: str, text: str) -> None:
        if step == "start" and not killed:
            found = client.status(engine.name)
            assert found is not None
            killed.append(found["supervisor"])
            os.kill(found["supervisor"], signal.SIGKILL)

    with traffic(engine, clients=4) as seen:
        result = client.swap(engine.name, order, kill_at_start)
        wait_until(lambda: (client.status(engine.name) or {}).get("state") == "serving", 120)
        done = seen.done
        wait_until(lambda: seen.done > done + 8)
        found = probe(engine.url)
    assert seen.failed == []
    assert (result["outcome"], result["reason"]) == (
        "rolled back",
        "its supervisor was killed in the midst",
    )
    assert (found.pid == before) == (strategy == "overlap")
    own = (engine.name, *serving.candidate_names(engine.name))
    assert [one.name for one in serving.list_serving() if one.name in own] == [engine.name]
    assert found.pid is not None
    engine.pid, engine.sockets = found.pid, found.sockets
