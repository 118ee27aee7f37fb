"""Swaps of the real engine under load by the command line: through and back, and rolled back.

Nobody is refused, cut short or lost in any of them.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engines.control.knobs import read_knobs, set_knob
from engines.host.cores import lacks_avx512
from engines.provision.places import models_dir
from engines.serving import names, registry
from store.records import VARIANT
from store.reports.outcomes import RUNNING
from tests.bench.pty_screen import PtyScreen
from tests.engine.clients import traffic
from tests.engine.command import Trimtab
from tests.engine.conftest import MODEL, LiveEngine
from tests.engine.other_weights import other_weights
from tests.engine.swap_settings import LOOSE, configure
from tests.supervisors import answering, state_of
from tests.waiting import wait_until

pytestmark = pytest.mark.engine

REQUESTS = 1_500
OTHER = "other weights"
AGAIN = "tiny-again"
"""A link to the demo's model: the same weights under another name."""


@dataclass(frozen=True)
class Case:
    """A swap that does not hold: the variant's table, what is asked, what is printed at the end,
    and the step that it gets to."""

    printed: str
    step: str
    model: str = MODEL
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    strategy: str = "overlap"
    limits: dict[str, float] = field(default_factory=lambda: LOOSE)


CASES = {
    "its path is missing": Case(
        "/nowhere/model cannot be served · there is no directory /nowhere/model",
        "plan",
        model="/nowhere/model",
    ),
    "vLLM rejects its arguments": Case(
        "vLLM rejects the arguments · vllm serve: error: argument --kv-cache-dtype: invalid "
        "choice: 'bogus' (choose from 'auto', ",
        "check",
        arguments=("--kv-cache-dtype", "bogus"),
    ),
    "it dies while loading": Case(
        "the engine ended while starting with exit code 1 · ValueError: invalid literal for int() "
        "with base 10: 'nonsense'",
        "start",
        environment={"VLLM_CPU_OMP_THREADS_BIND": "nonsense"},
    ),
    "it is never healthy": Case(
        "the engine does not answer after 2 s · it was still starting then",
        "start",
        arguments=("--max-num-seqs", "64"),
        asked=("--timeout", "2s"),
    ),
    "its quantisation finds no layer": Case(
        "it would change nothing · --quantization int8_per_channel_weight_only quantises experts "
        "only, and the model has none",
        "check",
        arguments=("--quantization", "int8_per_channel_weight_only"),
    ),
    "its arguments say what runs in other words": Case(
        "it would change nothing · vLLM makes the same configuration of it as of what runs",
        "check",
        arguments=("--dtype", "float16", "--kv-cache-dtype", "auto"),
    ),
    "its weights are the same under another name": Case(
        "its weights are others and its answers the same to the bit: it changed nothing",
        "verify",
        model=AGAIN,
    ),
    "it is worse": Case(
        "its quality fails: ",
        "verify",
        model=OTHER,
        strategy="stop-start",
        limits={},
    ),
}
"""Every way in which a swap is rolled back by itself, and what `trimtab swap` prints last."""


@pytest.fixture
def trimtab(engine: LiveEngine, tmp_path: Path) -> Iterator[Trimtab]:
    yield Trimtab(engine, tmp_path / "l.db", {"TRIMTAB_CONFIG_DIR": str(tmp_path)})
    engine.found_again()


def test_a_round_of_swaps_under_load(trimtab: Trimtab, tmp_path: Path) -> None:
    engine, pids = trimtab.engine, [trimtab.engine.pid]
    # On x86 without AVX-512 vLLM has no such cache.
    other = ["--dtype", "float32"] if lacks_avx512() else ["--kv-cache-dtype", "fp8"]
    fp8 = {"arguments": other}
    configure(tmp_path, LOOSE, int4={"model": other_weights(tmp_path)}, fp8=fp8)
    set_knob(engine.sockets, "max_num_seqs", 16, who="tests")
    told = []
    recorder = trimtab("record", "--detach")["pid"]
    with traffic(engine.url, MODEL, clients=16) as seen:
        for words in (
            ("swap", "int4", "--strategy", "overlap"),
            ("undo", "--strategy", "stop-start"),
            ("swap", "fp8", "--strategy", "stop-start"),
            ("undo", "--strategy", "overlap"),
        ):
            told.append(trimtab(*words))
            engine.found_again()
            pids.append(engine.pid)
        wait_until(lambda: seen.done + len(seen.failed) > REQUESTS, 180)
    os.kill(recorder, signal.SIGTERM)
    assert seen.failed == []
    assert len(set(pids)) == 5
    # Each life of the engine is one run, and the change that began it is in it.
    assert trimtab.rows("SELECT pid FROM v_runs ORDER BY run_id") == [(pid,) for pid in pids]
    runs = trimtab.rows(f"SELECT run_id FROM v_changes WHERE knob = '{VARIANT}' ORDER BY ts_ms")
    assert runs == trimtab.rows("SELECT run_id FROM v_runs ORDER BY run_id LIMIT 9 OFFSET 1")

    moved = [("start", "int4"), ("int4", "start"), ("start", "fp8"), ("fp8", "start")]
    kept = trimtab.rows(
        f"SELECT from_value, to_value FROM v_changes WHERE knob = '{VARIANT}' ORDER BY ts_ms"
    )
    assert kept == moved
    assert [(told[at]["from"], told[at]["to"]) for at in (1, 3)] == [moved[1], moved[3]]
    swaps = trimtab.rows("SELECT outcome, strategy, waited_s, evidence FROM v_swaps ORDER BY ts_ms")
    strategies = ["overlap", "stop-start", "stop-start", "overlap"]
    assert [row[:2] for row in swaps] == [("done", strategy) for strategy in strategies]
    assert [row[2] == 0 for row in swaps] == [True, False, False, True]

    to_int4, from_int4, to_fp8, from_fp8 = (json.loads(row[3])["evidence"] for row in swaps)
    sizes = [found["new"]["weight_bytes"] for found in (to_int4, from_int4, to_fp8, from_fp8)]
    assert sizes[1] == sizes[2] == sizes[3] == to_int4["old"]["weight_bytes"]
    if not lacks_avx512():
        assert sizes[0] < sizes[1]
        assert any("WNA16" in kernel for kernel in to_int4["new"]["kernels"])
        assert ["kv-cache-dtype", "fp8"] in to_fp8["new"]["limits"]
    for found in (to_int4, to_fp8):
        assert found["quality"]["loglik_new"] != found["quality"]["loglik_old"]
    assert from_int4["quality"] is from_fp8["quality"] is None  # the way back acts at once
    assert to_int4["quality"]["loglik_old"] == to_fp8["quality"]["loglik_old"]  # the same again

    # Live values came along four times, and each start was kept to learn from.
    assert {one.name: one.value for one in read_knobs(engine.sockets)}["max_num_seqs"] == 16
    assert len(trimtab.rows("SELECT took_s FROM v_starts WHERE took_s > 5")) == 4


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_hold_is_rolled_back_under_load(
    trimtab: Trimtab, tmp_path: Path, name: str
) -> None:
    case, before = CASES[name], trimtab.engine.pid
    (tmp_path / AGAIN).symlink_to(models_dir() / MODEL)
    model = str(tmp_path / AGAIN) if case.model == AGAIN else case.model
    if model == OTHER:
        model = other_weights(tmp_path)
    table = {"model": model, "arguments": case.arguments, "environment": case.environment}
    configure(tmp_path, case.limits, other=table)
    with traffic(trimtab.engine.url, MODEL, clients=2) as seen:
        told = trimtab("swap", "other", "--strategy", case.strategy, *case.asked, code=1)
        after = seen.done
        wait_until(lambda: seen.done > after + 4)
    assert told["outcome"] == "rolled back"
    last = trimtab.printed.strip().splitlines()[-1]
    assert last.startswith(f"trimtab: {trimtab.engine.name} was not swapped. {case.printed}"), last
    assert [one["step"] for one in told["steps"] if one["step"] == case.step]
    assert trimtab.rows("SELECT outcome, reason FROM v_swaps") == [("rolled back", told["reason"])]
    assert trimtab.rows("SELECT * FROM v_changes") == []
    assert seen.failed == []
    trimtab.engine.found_again()
    # In a stop-start the old command was started again.
    assert (trimtab.engine.pid == before) == (case.strategy == "overlap")


@pytest.mark.parametrize("strategy", ["overlap", "stop-start"])
def test_a_supervisor_killed_in_the_midst_is_followed_by_one_that_goes_back(
    trimtab: Trimtab, tmp_path: Path, strategy: str
) -> None:
    engine, before = trimtab.engine, trimtab.engine.pid
    configure(tmp_path, LOOSE, int4={"model": other_weights(tmp_path)})
    with traffic(engine.url, MODEL, clients=4) as seen:
        swapping = trimtab.begin("swap", "int4", "--strategy", strategy)
        until_starting(engine)
        os.kill(answering(engine.name).supervisor, signal.SIGKILL)
        told, printed = swapping.communicate(timeout=200)
        after = seen.done
        wait_until(lambda: seen.done > after + 8)
    assert swapping.returncode == 1
    assert json.loads(told)["outcome"] == "rolled back"
    why = "its supervisor was killed in the midst"
    assert f"{engine.name} was not swapped. {why}" in printed
    assert trimtab.rows("SELECT outcome, reason FROM v_swaps") == [("rolled back", why)]
    assert seen.failed == []
    engine.found_again()
    assert (engine.pid == before) == (strategy == "overlap")
    own = (engine.name, *names.candidate_names(engine.name))
    assert [one.name for one in registry.list_serving() if one.name in own] == [engine.name]


def test_a_screen_killed_in_the_midst_stops_no_swap_and_another_one_shows_it(
    trimtab: Trimtab, tmp_path: Path
) -> None:
    engine, before = trimtab.engine, trimtab.engine.pid
    configure(tmp_path, {}, int4={"model": other_weights(tmp_path)})
    words, environ = [engine.url, "--db", str(trimtab.db)], dict(trimtab.environ)
    with traffic(engine.url, MODEL, clients=2) as seen:
        with PtyScreen(words, columns=120, rows=40, environ=environ) as screen:
            assert screen.read(20, "prefix caching")
            screen.type("s")
            assert screen.read(20, "of your settings")
            screen.type("\r")
            assert screen.read(10, "Swap to int4 now?")
            screen.type("\r")
            until_starting(engine)
            os.kill(screen.pid, signal.SIGKILL)
            os.waitpid(screen.pid, 0)
        with PtyScreen(words, columns=120, rows=40, environ=environ) as another:
            assert another.read(20, "→ int4"), another.text()[-4000:]
            wait_until(lambda: state_of(engine.name) == "serving", 200)
            another.type("so")
            assert another.read(20, "FAIL")
    outcomes = trimtab.rows("SELECT outcome, reason LIKE 'its quality fails%' FROM v_swaps")
    assert outcomes == [("rolled back", 1)]
    assert seen.failed == []
    engine.found_again()
    assert engine.pid == before


def test_a_terminal_hung_up_in_the_midst_stops_no_swap(trimtab: Trimtab, tmp_path: Path) -> None:
    engine, before = trimtab.engine, trimtab.engine.pid
    configure(tmp_path, {}, int4={"model": other_weights(tmp_path)})
    with traffic(engine.url, MODEL, clients=2) as seen:
        child, terminal = pty.fork()
        if child == 0:
            words = [sys.executable, "-m", "app", *trimtab.words("swap", "int4")]
            os.execve(sys.executable, words, os.environ | trimtab.environ)
        until_starting(engine)
        os.close(terminal)
        os.waitpid(child, 0)
        wait_until(lambda: state_of(engine.name) == "serving", 200)
    outcomes = trimtab.rows("SELECT outcome, reason LIKE 'its quality fails%' FROM v_swaps")
    assert outcomes == [("rolled back", 1)]
    assert seen.failed == []
    engine.found_again()
    assert engine.pid == before


def until_starting(engine: LiveEngine) -> None:
    """Wait until the new engine of a swap loads."""

    def starting() -> bool:
        swap = answering(engine.name).swap
        if swap is None or swap.outcome != RUNNING:  # the last one stays told
            return False
        return any(line.step == "start" for line in swap.steps)

    wait_until(starting, 120)
    time.sleep(1)
