"""Keeper and supervisor, with a small program in the place of vLLM that takes the address."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engines.control.wire import ControlLost, ControlRefused
from engines.host import lifetime
from engines.launch.launch import Launch, LaunchSpec
from engines.launch.prepare import prepare
from engines.provision.places import log_file
from engines.serving import registry
from engines.serving.started import Started
from engines.supervisor import start
from engines.supervisor.__main__ import write_memory
from engines.supervisor.common import teller
from engines.supervisor.common.backoff import PAUSES_S, STABLE_S, Backoff
from engines.supervisor.common.memory import Memory, from_line, to_line
from engines.supervisor.life import recovering
from engines.supervisor.life.ending import stop
from engines.supervisor.life.recovering import recover
from engines.supervisor.life.shared import Life
from engines.supervisor.life.states import Recovering, Stopping
from engines.supervisor_client import client
from engines.supervisor_client.swap_order import Order
from engines.variants.variant import Variant
from store.errors import BadInput, NotAchieved
from store.ledger.connection import Ledger
from store.reports.swap import ROLLED_BACK
from store.tables import events, starts
from store.tables.engines import find_engine
from tests.addresses import held_port
from tests.names import own
from tests.supervisors import answering, state_of
from tests.waiting import PATIENCE_S, wait_until

PROGRAM = """
import json, os, signal, socket, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
told = json.loads(os.environ.get("STUB", "{}"))
print("ValueError: the model is not there") if told.get("broken") else None
sys.exit(2) if told.get("broken") else None
listener = socket.socket(fileno=int(os.environ["TRIMTAB_LISTEN_FD"]))
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        body = str(os.getpid()).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = listener
told.get("silent") or print("INFO:     Application startup complete.", flush=True)
server.serve_forever()
"""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The python of an environment whose `vllm` is the program above."""
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRIMTAB_ENGINE_KIND", "cpu")
    monkeypatch.delenv("STUB", raising=False)
    directory = tmp_path / "environment" / "bin"
    directory.mkdir(parents=True)
    (directory / "vllm").write_text(PROGRAM)
    python = directory / "python"
    python.symlink_to(Path(os.path.realpath("/proc/self/exe")))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    yield python
    for path in (tmp_path / "data" / "serving").glob("*.json"):
        if client.status(path.stem) is not None:
            client.stop(path.stem, drain_s=0)


def begin(stub: Path, name: str, *arguments: str, **told: object) -> Started:
    environ = os.environ | {"STUB": json.dumps(told), "SECRET_KEY": "sk-very-secret"}
    model = str(stub.parents[2] / "model")
    os.environ["STUB"] = environ["STUB"]
    return start.start_supervised(
        LaunchSpec(model, name, arguments, python=stub, environ=environ, db=ledger_of(stub))
    )


@pytest.fixture
def port() -> Iterator[int]:
    """One that nobody else gets, also after the engine has left it."""
    with held_port() as number:
        yield number


def ledger_of(stub: Path) -> Path:
    return stub.parents[2] / "l.db"


def follows(name: str, supervisor: int) -> bool:
    """Whether another supervisor than this one answers."""
    found = client.status(name)
    return found is not None and found.supervisor != supervisor


def answer(started: Started) -> int:
    with urllib.request.urlopen(started.url, timeout=PATIENCE_S) as reply:
        return int(reply.read())


def said(name: str) -> str:
    return log_file(f"{name}-supervisor").read_text()


def test_it_serves_on_the_keepers_address_and_stops(stub: Path, port: int) -> None:
    started = begin(stub, own("sup-a"), "--port", str(port))
    wait_until(lambda: state_of(own("sup-a")) == "serving")
    assert answer(started) == started.pid
    path = client.socket_of(own("sup-a"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "sk-very-secret" not in said(own("sup-a"))
    with pytest.raises(BadInput, match="already runs"):
        begin(stub, own("sup-a"))
    stopped = client.stop(own("sup-a"), drain_s=2)
    assert stopped.pid == started.pid
    wait_until(lambda: client.status(own("sup-a")) is None)
    assert registry.list_serving() == []
    assert lifetime.start_ticks(started.pid) is None
    with pytest.raises(OSError, match="refused"):
        answer(started)


def test_a_crashed_engine_is_started_again_and_no_connection_is_refused(stub: Path) -> None:
    started = begin(stub, own("sup-b"))
    wait_until(lambda: state_of(own("sup-b")) == "serving")
    os.kill(started.pid, signal.SIGKILL)
    wait_until(lambda: not lifetime.is_alive(started.pid, started.start_ticks))
    # Asked while nothing serves: it waits in the queue.
    again = answer(started)
    assert again != started.pid
    assert "ended" in said(own("sup-b"))
    assert "starts again in 1 s" in said(own("sup-b"))
    wait_until(lambda: state_of(own("sup-b")) == "serving")
    with Ledger.open(ledger_of(stub), readonly=True) as ledger:
        row = find_engine(ledger, started.url)
        assert row is not None
        told = [event.text for event in events.recent(ledger, row.id, 20)]
        (kept, first) = starts.alike(ledger, str(stub.parents[2] / "model"), "", beside=False)
    assert f"process {again} serves at {started.url}" in told
    assert "starts again in 1 s" in told
    assert "sk-very-secret" not in str(told)
    assert set(kept.phases) == set(first.phases) == {"serving"}
    assert kept.command == first.command


def test_what_cannot_be_swapped_now_is_refused(stub: Path) -> None:
    begin(stub, own("sup-f"))
    wait_until(lambda: state_of(own("sup-f")) == "serving")
    with pytest.raises(NotAchieved, match="no swap of this engine can be taken back"):
        client.begin_swap(own("sup-f"), Order("id", None))
    with pytest.raises(ControlRefused, match="no swap runs"):
        client.call_off(own("sup-f"))
    with pytest.raises(ControlLost):
        client.begin_swap(own("sup-nobody"), Order("id", None))


def test_a_plan_for_another_engine_than_the_one_that_runs_is_refused(stub: Path) -> None:
    begin(stub, "sup-i")
    wait_until(lambda: state_of("sup-i") == "serving")
    variant = Variant("other", str(stub.parents[2] / "model"))
    stale = Order("id", variant, planned_on="0123456789abcdef")
    with pytest.raises(NotAchieved, match="another engine than the plan was made for"):
        client.begin_swap("sup-i", stale)
    assert answering("sup-i").swap is None
    planned = replace(stale, id="id-2", planned_on=answering("sup-i").launch_id)
    client.begin_swap("sup-i", planned)
    wait_until(lambda: (swap := answering("sup-i").swap) is not None and swap.id == "id-2")


def test_a_killed_supervisor_is_followed_by_one_that_takes_the_engine_over(stub: Path) -> None:
    started = begin(stub, own("sup-c"))
    wait_until(lambda: state_of(own("sup-c")) == "serving")
    first = answering(own("sup-c"))
    os.kill(first.supervisor, signal.SIGKILL)
    wait_until(lambda: follows(own("sup-c"), first.supervisor))
    wait_until(lambda: state_of(own("sup-c")) == "serving")
    second = answering(own("sup-c"))
    assert second.supervisor != first.supervisor
    assert answer(started) == started.pid == second.pid
    assert "found process" in said(own("sup-c"))


def test_an_engine_that_never_serves_is_given_up_and_says_why(stub: Path) -> None:
    try:
        begin(stub, own("sup-d"), broken=True)
    except NotAchieved as error:
        assert "GIVEN UP" in str(error.meaning)
    wait_until(lambda: "GIVEN UP" in said(own("sup-d")))
    assert "ValueError: the model is not there" in said(own("sup-d"))
    wait_until(lambda: client.status(own("sup-d")) is None)
    assert list((stub.parents[2] / "data" / "serving").iterdir()) == []


@pytest.mark.parametrize("named", [0, 1, 2])
def test_a_swap_that_had_taken_over_is_finished_by_the_next_supervisor(
    stub: Path, named: int
) -> None:
    """It was killed before it gave the new engine its name, in the midst of it, and after."""
    old, new = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    names = [("sup-h", "sup-h@next"), ("sup-h@old", "sup-h@next"), ("sup-h@old", "sup-h")][named]
    for process, name in zip((old, new), names, strict=True):
        ticks = lifetime.start_ticks(process.pid) or 0
        registry.save(registry.Serving(name, process.pid, ticks, "http://127.0.0.1:1", "m", "/log"))
    launch = replace(prepare_nothing(stub), name="sup-h")
    memory = Memory(launch, (), Order("id", None), taken_over=True)
    with socket.socket() as listener:
        recover(Life(memory, listener, lambda _: None), Recovering())
    found = {one.name: one.pid for one in registry.list_serving()}
    assert found == {"sup-h": new.pid, "sup-h@old": old.pid}
    assert registry.has_no_address(old.pid)
    assert not registry.has_no_address(new.pid)
    for process in (old, new):
        process.kill()
        process.wait()


def keeper_of(name: str) -> int:
    return int(
        Path(f"/proc/{answering(name).supervisor}/stat").read_text().split(")")[1].split()[1]
    )


def prepare_nothing(stub: Path) -> Launch:
    spec = LaunchSpec(str(stub.parents[2] / "model"), name="sup-none", python=stub)
    with prepare(spec) as (launch, _):
        return launch


def test_sigterm_to_the_keeper_stops_the_engine(stub: Path) -> None:
    started = begin(stub, own("sup-e"))
    wait_until(lambda: state_of(own("sup-e")) == "serving")
    keeper = keeper_of(own("sup-e"))
    os.kill(keeper, signal.SIGTERM)
    wait_until(lambda: lifetime.start_ticks(keeper) is None)
    assert lifetime.start_ticks(started.pid) is None


def test_a_supervisor_whose_keeper_was_killed_goes_on(stub: Path) -> None:
    started = begin(stub, own("sup-g"))
    wait_until(lambda: state_of(own("sup-g")) == "serving")
    os.kill(keeper_of(own("sup-g")), signal.SIGKILL)
    os.kill(started.pid, signal.SIGKILL)
    wait_until(lambda: not lifetime.is_alive(started.pid, started.start_ticks))
    assert answer(started) != started.pid
    reader, writer = os.pipe()
    os.close(reader)
    write_memory(writer, Memory(prepare_nothing(stub)))  # nobody reads it, and nothing breaks
    os.close(writer)


def test_the_pauses_grow_and_end() -> None:
    backoff = Backoff()
    assert [backoff.crashed(0) for _ in range(len(PAUSES_S) + 1)] == [*PAUSES_S, None]
    assert backoff.crashed(STABLE_S) == PAUSES_S[0]


def test_of_several_that_start_under_one_name_one_gets_it(stub: Path) -> None:
    name = own("sup-j")
    outcomes: list[Started | NotAchieved] = []

    def attempt() -> None:
        try:
            outcomes.append(begin(stub, name))
        except (NotAchieved, BadInput) as error:
            outcomes.append(NotAchieved(str(error)))

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    started = [outcome for outcome in outcomes if isinstance(outcome, Started)]
    assert (len(outcomes), len(started)) == (3, 1)
    wait_until(lambda: state_of(name) == "serving")
    assert answer(started[0]) == started[0].pid
    client.stop(name, drain_s=0)
    again = begin(stub, name)  # at once, though the supervisor before it lingers
    wait_until(lambda: state_of(name) == "serving")
    assert answer(again) == again.pid


def test_the_name_is_held_as_long_as_one_of_both_lives(
    stub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = own("sup-k")
    begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    os.kill(keeper_of(name), signal.SIGKILL)
    monkeypatch.setattr(registry, "LINGERS_S", 0.2)
    with pytest.raises(NotAchieved, match="is supervised already"):
        registry.lock_name(name)


def test_a_keeper_that_pauses_passes_a_stop_on_to_the_next_supervisor(stub: Path) -> None:
    name = own("sup-l")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    first = answering(name)
    keeper = keeper_of(name)
    os.kill(first.supervisor, signal.SIGKILL)
    wait_until(lambda: lifetime.start_ticks(first.supervisor) is None)
    wait_until(lambda: "another one in" in said(name))
    os.kill(keeper, signal.SIGTERM)
    wait_until(lambda: lifetime.start_ticks(keeper) is None)
    assert lifetime.start_ticks(started.pid) is None
    assert "Traceback" not in said(name)


def test_a_stop_in_which_a_supervisor_was_killed_is_finished(stub: Path) -> None:
    launch = prepare_nothing(stub)
    kept: list[Memory] = []
    with socket.socket() as listener:
        life = Life(Memory(launch), listener, kept.append)
        stop(life, Stopping(7.0))
        assert kept[0].stopping_s == 7.0
        again = Life(from_line(to_line(kept[0])), listener, kept.append)
        assert recover(again, Recovering()) == Stopping(7.0)


def test_an_engine_whose_log_is_silent_is_asked_for_its_health(stub: Path) -> None:
    started = begin(stub, own("sup-m"), silent=True)
    wait_until(lambda: state_of(own("sup-m")) == "serving")
    assert answer(started) == started.pid
    assert started.log_path.read_text() == ""


def test_a_byte_that_is_no_text_ends_no_supervision(stub: Path) -> None:
    """It cannot be written into the ledger: the line is left out, in the log, and that is all."""
    name = own("sup-n")
    begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    before = answering(name).supervisor
    variant = Variant("other", str(stub.parents[2] / "missing"))
    client.begin_swap(name, Order("id", variant, why="caf\udce9", db=ledger_of(stub)))
    wait_until(lambda: (swap := answering(name).swap) is not None and swap.outcome == ROLLED_BACK)
    assert answering(name).supervisor == before
    assert "UnicodeEncodeError" in said(name)


def test_an_order_that_broke_its_supervisor_is_not_replayed(
    stub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(recovering, "tell_interrupted", break_down)
    kept: list[Memory] = []
    with socket.socket() as listener:
        memory = Memory(prepare_nothing(stub), (), Order("id", None))
        with pytest.raises(ZeroDivisionError):
            recovering.tell_unfinished(Life(memory, listener, kept.append))
    assert kept[-1].swapping is None


def test_a_disk_that_hangs_holds_nobody_but_the_teller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teller, "PATIENCE_S", 0.05)
    hanging, done = threading.Event(), threading.Event()
    told = teller.Teller()
    told.tell(lambda: hanging.wait(PATIENCE_S) and None)
    began = time.monotonic()
    for _ in range(2 * teller._MOST):
        told.tell(lambda: None)
    assert time.monotonic() - began < PATIENCE_S / 2  # not a patience for each
    hanging.set()
    wait_until(told._works.empty)
    told.tell(done.set)
    wait_until(done.is_set)


def test_an_engine_whose_file_is_gone_is_stopped_all_the_same(stub: Path) -> None:
    name = own("sup-o")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    registry.forget(name)
    assert client.stop(name, drain_s=0).pid == started.pid
    assert lifetime.start_ticks(started.pid) is None


def test_a_supervisor_that_is_silent_is_not_absent(
    stub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "LINGERS_S", 0.2)
    name = own("sup-p")
    started = begin(stub, name)
    wait_until(lambda: state_of(name) == "serving")
    supervisor = answering(name).supervisor
    os.kill(supervisor, signal.SIGSTOP)
    try:
        with pytest.raises(NotAchieved, match="does not answer"):
            client.stop(name, drain_s=0)
        assert answer(started) == started.pid
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert client.stop(name, drain_s=0).pid == started.pid
