"""The command line on a real engine, as a person or a script uses it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engines.serving import registry
from tests.bench.pty_screen import PtyScreen
from tests.engine.command import Trimtab
from tests.engine.conftest import LiveEngine
from tests.waiting import wait_until

pytestmark = pytest.mark.engine

LISTED = (
    "name",
    "url",
    "model",
    "pid",
    "vllm_version",
    "control",
    "reason",
    "supervisor",
    "gpus",
    "gpu_holds",
    "gpu_imbalance",
    "gpus_unknown",
    "started",
)
KNOB = (
    "name",
    "kind",
    "value",
    "start",
    "minimum",
    "maximum",
    "reason",
    "lease_left_s",
    "label",
    "unit",
    "summary",
)


@pytest.fixture
def trimtab(engine: LiveEngine, tmp_path: Path) -> Trimtab:
    return Trimtab(engine, tmp_path / "ledger.db")


@pytest.fixture
def recorder(trimtab: Trimtab):
    told = trimtab("record", "--detach")
    yield told
    if _lives(told["pid"]):
        os.kill(told["pid"], signal.SIGTERM)
        wait_until(lambda: not _lives(told["pid"]), 10)


def test_the_engine_is_listed_as_live(trimtab: Trimtab) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "app", "engines", "--json"], capture_output=True, check=True
    )
    (found,) = [one for one in json.loads(ran.stdout) if one["url"] == trimtab.engine.url]
    assert set(found) == set(LISTED)
    assert (found["pid"], found["control"]) == (trimtab.engine.pid, "live")
    assert found["supervisor"] == found["name"] == trimtab.engine.name


def test_a_knob_is_set_and_taken_back_and_each_is_a_row(trimtab: Trimtab) -> None:
    (change,) = trimtab("set", "max_num_seqs=8", "--why", "a test")
    assert (change["from"], change["to"], change["outcome"]) == (32, 8, "applied")
    assert change["took_ms"] > 0
    knobs = {knob["name"]: knob for knob in trimtab("knobs")}
    assert set(knobs["max_num_seqs"]) == set(KNOB)
    assert knobs["max_num_seqs"]["value"] == 8
    assert trimtab("undo")["to"] == 32
    trimtab("undo", code=1)
    rows = trimtab.rows("SELECT cause, from_value, to_value, why, took_ms > 0 FROM changes")
    assert rows == [("set", "32", "8", "a test", 1), ("undo", "8", "32", "", 1)]


def test_several_knobs_are_set_together_or_not_at_all(trimtab: Trimtab) -> None:
    error = trimtab("set", "enable_prefix_caching=off", "max_num_seqs=99", code=2)["error"]
    assert "1 to 32" in error["meaning"]
    knobs = {knob["name"]: knob["value"] for knob in trimtab("knobs")}
    assert knobs["enable_prefix_caching"] is True
    assert [one["knob"] for one in trimtab("set", "enable_prefix_caching=off", "max_num_seqs=9")]
    back = trimtab("undo")  # one command was one act
    assert {back["knob"], *(change["knob"] for change in back["with"])} == {
        "enable_prefix_caching",
        "max_num_seqs",
    }
    knobs = {knob["name"]: knob["value"] for knob in trimtab("knobs")}
    assert (knobs["enable_prefix_caching"], knobs["max_num_seqs"]) == (True, 32)


def test_caching_off_then_on_makes_a_request_cheaper(
    trimtab: Trimtab, recorder: dict[str, Any], under_load: Callable[..., Any]
) -> None:
    with under_load(clients=8) as load:
        trimtab("set", "enable_prefix_caching=off")
        time.sleep(30)
        cold = trimtab("show", "--last", "10s")
        assert (cold["cached_prompt_tokens"], cold["prompt_tokens"] > 0) == (0, True)
        trimtab("snapshot", "baseline", "--last", "1m")
        trimtab("set", "enable_prefix_caching=on")
        time.sleep(30)
        assert trimtab("show", "--last", "10s")["cached_prompt_tokens"] > 0
        made = trimtab("snapshot", "after", "--last", "1m")
    assert load.failed == []
    assert made["configuration"]["knobs"]["enable_prefix_caching"] is True
    found = trimtab("compare", "baseline", "after")
    cost = found["metrics"]["cost_per_request_usd"]
    assert min(cost["blocks"]) >= 5
    assert cost["interval"][1] < 0, found
    assert trimtab.rows("SELECT count(DISTINCT run_id) FROM readings") == [(1,)]


def test_a_recorder_may_be_killed_and_the_next_goes_on(
    trimtab: Trimtab, recorder: dict[str, Any]
) -> None:
    error = trimtab("record", "--for", "1s", code=1)["error"]
    assert "recorded already" in error["what"]
    wait_until(lambda: trimtab.rows("SELECT count(*) FROM readings")[0][0] >= 3, 20)
    os.kill(recorder["pid"], signal.SIGKILL)
    killed_ms = time.time() * 1000
    assert trimtab.rows("PRAGMA integrity_check") == [("ok",)]
    ((last_ms,),) = trimtab.rows("SELECT max(ts_ms) FROM readings")
    assert killed_ms - last_ms < 2_000
    # Its heartbeat has to grow cold first: nobody can tell a killed recorder from a slow one.
    wait_until(lambda: time.time() * 1000 > killed_ms + 6_000, 10)
    trimtab("record", "--for", "2s")
    assert trimtab.rows(f"SELECT count(*) FROM readings WHERE ts_ms > {killed_ms}")[0][0] >= 2
    assert trimtab.rows("SELECT count(DISTINCT run_id) FROM readings") == [(1,)]


@pytest.mark.parametrize("end", ["q", signal.SIGTERM, signal.SIGHUP, None])
def test_the_screen_opens_shows_the_engine_and_leaves(
    trimtab: Trimtab, end: str | signal.Signals | None
) -> None:
    """Left by a key, told to end, or without its terminal any more (None)."""
    with PtyScreen([trimtab.engine.url, "--db", str(trimtab.db)], columns=120, rows=40) as screen:
        assert screen.read(30, until="control live") is not None, screen.text()[-2000:]
        if isinstance(end, str):
            screen.type(end)
        elif end is not None:
            screen.process.send_signal(end)
        else:
            screen.hang_up()
        screen.read(10)  # until it closes its terminal
        wait_until(lambda: not screen.running(), 10)
    gone = end is None or b"\x1b[?1049l" in screen.written
    assert screen.written.endswith(b"\x1b[?25h") or gone
    assert trimtab.rows("SELECT count(*) FROM recorders") == [(0,)]


def test_a_killed_demo_leaves_nothing_running(tmp_path: Path) -> None:
    before = {one.pid for one in registry.list_serving()}
    demo = subprocess.Popen(
        [sys.executable, "-m", "app", "demo", "--tour", "--db", str(tmp_path / "demo.db")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: bool(_started_since(before)), 60)
    finally:
        demo.kill()
        demo.wait()
    wait_until(lambda: not _started_since(before), 60)


def _started_since(before: set[int]) -> list[registry.Serving]:
    return [one for one in registry.list_serving() if one.pid not in before]


def _lives(pid: int) -> bool:
    return (
        Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    )
