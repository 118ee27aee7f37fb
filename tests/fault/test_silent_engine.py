"""An engine that accepts connections and answers none can be tuned: by its key and by command; and
a key never reaches another engine than the one shown."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from app.acts.for_screen import LedgerActions
from app.cli.watching.screen import engines_to_watch
from app.tui.app import TrimtabApp
from engines.control.knobs import read_knobs
from engines.discovery import find, local
from engines.discovery.find import find_engines, probe
from engines.discovery.local import handle_at, handle_of
from engines.engine_info import EngineInfo
from engines.host import lifetime, procfs
from engines.knob_handle import KnobHandle
from engines.recording.recorder import Recorder
from engines.serving import registry
from engines.serving.name_lock import name_lock
from store.errors import EngineUnreachable, NotAchieved
from store.ledger.connection import Ledger
from store.metrics.prices import PriceBook
from store.records import Change, KnobValue, RunInfo, RunRow
from store.tables.changes import list_changes
from store.tables.engines import find_engine
from tests.addresses import held_port
from tests.fakes.engine_trees import FakeEngine, fake_engine
from tests.servers import REAL_PAGE
from tests.ui.scripted_actions import engine_screen, shown, until
from tests.unit.app.cli.cli_runner import Cli

SOON_S = 1.0
"""A small part of the 3 s that asking over HTTP would wait."""
CACHING = "enable_prefix_caching"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engines that other tests have started at the same time are none of ours."""
    trees = local.engine_trees
    monkeypatch.setattr(
        local,
        "engine_trees",
        lambda **told: [tree for tree in trees(**told) if tree.root.ppid == os.getpid()],
    )


@pytest.fixture
def silent(tmp_path: Path, cli: Cli) -> Iterator[FakeEngine]:
    """Its API server is stopped from the start: the kernel accepts, nobody answers."""
    with fake_engine(tmp_path / "silent", "org/silent", plugins=[True]) as engine:
        os.kill(engine.pid, signal.SIGSTOP)
        yield engine


@contextmanager
def recorded(db: Path, engine: EngineInfo) -> Iterator[None]:
    recorder = Recorder(db, [engine], 0.1)
    recorder.start()
    try:
        yield
    finally:
        recorder.stop()


def handle(engine: FakeEngine) -> KnobHandle:
    found = handle_at(engine.url)
    assert found is not None
    return found


def value(engine: FakeEngine, knob: str) -> KnobValue | None:
    """What the engine itself has."""
    return next(state.value for state in read_knobs(handle(engine).sockets) if state.name == knob)


def kept(db: Path, url: str) -> list[Change]:
    with Ledger.open(db, readonly=True) as ledger:
        row = find_engine(ledger, url)
        return [] if row is None else list_changes(ledger, row.id)


def run_shown(life: RunInfo) -> RunRow:
    """As the screen has it of a run in the ledger."""
    return RunRow(1, 1, life, None, None)


@pytest.mark.parametrize("by", ["url", "name", "alone"])
def test_a_command_turns_a_knob_of_a_silent_engine_at_once(
    by: str, silent: FakeEngine, cli: Cli
) -> None:
    chosen = {"url": ("--engine", silent.url), "name": ("--engine", "silent"), "alone": ()}[by]
    began = time.monotonic()
    ran = cli("set", "max_num_seqs=8", "--why", "relief", *chosen, "--json")
    assert time.monotonic() - began < SOON_S
    assert (ran.code, ran.json[0]["outcome"]) == (0, "applied")
    assert value(silent, "max_num_seqs") == 8
    (change,) = kept(cli.db, silent.url)
    assert (change.to_value, change.why) == (8, "relief")
    states = {state["name"]: state for state in cli("knobs", *chosen, "--json").json}
    assert states["max_num_seqs"]["value"] == 8
    began = time.monotonic()
    assert cli("undo", *chosen).code == 0
    assert time.monotonic() - began < SOON_S
    assert value(silent, "max_num_seqs") == 32


async def test_a_key_turns_a_knob_of_an_engine_that_fell_silent(tmp_path: Path, cli: Cli) -> None:
    page = REAL_PAGE.decode()
    with (
        fake_engine(tmp_path / "e", "org/m", plugins=[True], metrics=page) as engine,
        recorded(cli.db, await asyncio.to_thread(probe, engine.url)),
    ):
        app = TrimtabApp(cli.db, PriceBook(), LedgerActions(cli.db))
        async with app.run_test(size=(120, 40)) as pilot:
            frame = _frames(app)
            await until(pilot, lambda: bool(frame() and frame().knobs), "its knobs are known")
            os.kill(engine.pid, signal.SIGSTOP)
            await until(pilot, lambda: frame().engine.state == "unreadable", "it fell silent")
            began = time.monotonic()
            await pilot.press("p")
            await until(pilot, lambda: "applied in" in shown(pilot, "#impact"), "it was told")
            assert time.monotonic() - began < SOON_S
            assert value(engine, CACHING) is False
            await pilot.press("u")
            await until(pilot, lambda: value(engine, CACHING) is True, "it was taken back")
        assert [change.cause for change in kept(cli.db, engine.url)] == ["undo", "set"]


async def test_a_key_turns_a_knob_of_an_engine_that_never_answered(
    silent: FakeEngine, cli: Cli
) -> None:
    (found,) = await asyncio.to_thread(engines_to_watch, [silent.url], None, cli.db)
    with recorded(cli.db, found):
        app = TrimtabApp(cli.db, PriceBook(), LedgerActions(cli.db))
        async with app.run_test(size=(120, 40)) as pilot:
            frame = _frames(app)
            await until(pilot, lambda: bool(frame() and frame().knobs), "its knobs are known")
            assert frame().engine.state == "unreadable"
            await pilot.press("p")
            await until(pilot, lambda: "applied in" in shown(pilot, "#impact"), "it was told")
    assert value(silent, CACHING) is False


def _frames(app: TrimtabApp) -> Callable[[], object]:
    return lambda: engine_screen(app).frame


def test_the_screen_waits_for_a_silent_engine_once(
    silent: FakeEngine, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One deadline of HTTP tells that it is silent; from there on /proc tells the rest."""
    asked = Mock(wraps=find.ask_all)
    monkeypatch.setattr(find, "ask_all", asked)
    (found,) = engines_to_watch([silent.url], None, cli.db)
    assert asked.call_count == 1
    assert (found.pid, found.control) == (silent.pid, "live")


def test_a_silent_engine_without_the_plugin_is_not_watched(tmp_path: Path, cli: Cli) -> None:
    with fake_engine(tmp_path / "e", "m", hang=True) as engine:
        with pytest.raises(EngineUnreachable):
            engines_to_watch([engine.url], None, cli.db)
        ran = cli("set", "max_num_seqs=8", "--engine", "m")
    assert ran.code == 1
    assert "m cannot be changed live. does not answer: no whole answer within 3 s" in ran.err


@pytest.fixture
def port() -> Iterator[int]:
    """One that two engines have one after the other, and nobody else in between."""
    with held_port() as number:
        yield number


def test_a_key_does_not_reach_the_engine_that_came_after_the_one_shown(
    tmp_path: Path, cli: Cli, port: int
) -> None:
    with fake_engine(tmp_path / "a", "m", plugins=[True], at_port=port) as engine:
        before = handle(engine).life
    actions = LedgerActions(cli.db)
    with pytest.raises(NotAchieved, match="does not serve"):
        actions.set_knob(run_shown(before), CACHING, False)
    with fake_engine(tmp_path / "b", "m", plugins=[True], at_port=port) as engine:
        again = replace(before, pid=engine.pid)  # the kernel gave its PID to the next one
        assert again.started_ms is not None
        earlier = replace(again, started_ms=again.started_ms - 5_000)
        for life in (before, earlier):
            with pytest.raises(NotAchieved, match="Another engine serves"):
                actions.set_knob(run_shown(life), CACHING, False)
            with pytest.raises(NotAchieved, match="Another engine serves"):
                actions.undo(run_shown(life))
        assert value(engine, CACHING) is True
        assert actions.set_knob(run_shown(handle(engine).life), CACHING, False).outcome == "applied"


def test_a_key_does_not_reach_an_engine_that_another_has_taken_over_from(
    tmp_path: Path, cli: Cli
) -> None:
    with fake_engine(tmp_path / "a", "m", plugins=[True]) as engine:
        life, sockets = handle(engine).life, handle(engine).sockets
        ticks = lifetime.start_ticks(engine.pid)
        assert ticks is not None
        registry.save(registry.Serving("m@old", engine.pid, ticks, engine.url, "m", "log"))
        with name_lock("m"), pytest.raises(NotAchieved, match="does not serve"):
            LedgerActions(cli.db).set_knob(run_shown(life), CACHING, False)
        assert all(state.value == state.start for state in read_knobs(sockets))


def test_no_engine_core_is_turned_where_one_does_not_answer(tmp_path: Path, cli: Cli) -> None:
    with fake_engine(tmp_path / "a", "m", plugins=[True, True]) as engine:
        found = handle(engine)
        stuck = int(found.sockets[1].stem)
        os.kill(stuck, signal.SIGSTOP)
        with pytest.raises(NotAchieved, match="plugin does not answer"):
            LedgerActions(cli.db).set_knob(run_shown(found.life), CACHING, False)
        assert all(state.value == state.start for state in read_knobs(found.sockets[:1]))


def test_an_engine_of_another_machine_is_refused_with_its_reason(cli: Cli) -> None:
    distant = RunInfo("http://192.0.2.1:8000", "far", reason="not on this machine")
    with pytest.raises(NotAchieved, match=r"far cannot be changed live\. not on this machine"):
        LedgerActions(cli.db).set_knob(run_shown(distant), CACHING, False)
    with pytest.raises(NotAchieved, match=r"no change of far to take back\. not on this machine"):
        LedgerActions(cli.db).undo(run_shown(distant))


def test_names_found_without_http_are_those_found_with_it(tmp_path: Path, cli: Cli) -> None:
    with (
        fake_engine(tmp_path / "a", "org/m", plugins=[True]) as first,
        fake_engine(tmp_path / "b", "org/m", plugins=[True]) as second,
    ):
        names = {one.pid: one.name for one in find_engines()}
        for engine in (first, second):
            found = handle_of(names[engine.pid])
            assert found is not None
            assert (found.life.pid, found.life.url) == (engine.pid, engine.url)
        assert handle_of("other") is None
        assert handle_of(None) is None
        with fake_engine(tmp_path / "c", "--config", "c.yaml", plugins=[True]) as third:
            assert handle_of("m") is None  # only HTTP can tell that the third is not called so
            assert procfs.read_process(third.pid) is not None
