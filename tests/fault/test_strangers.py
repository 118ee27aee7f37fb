"""Engines of other users of the host: what they are sent, and whose name they can take."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.cli.shared.choose import engine_to_turn, live_engine
from app.cli.watching.screen import _first_shown
from engines.control.client import PluginClient
from engines.discovery import local, location, naming
from engines.discovery.api_keys import ApiKeys
from engines.discovery.find import find_engines
from engines.discovery.local import (
    LISTED_OF_A_STRANGER,
    handle_at,
    handle_of,
    stranger_at,
)
from engines.host import lifetime, listeners, procfs, routes
from engines.host.processes import engine_trees
from engines.host.procfs import Process, read_process
from engines.host.users import other_user
from engines.recording import engine_recorder
from engines.recording.recorder import Recorder
from engines.serving import registry
from store.errors import BadInput, EngineUnreachable
from store.ledger.connection import Ledger
from store.records import EngineRow
from store.tables.engines import find_engine
from tests.addresses import held_port
from tests.fakes.engine_trees import FakeEngine, fake_engine
from tests.fakes.strangers import strangers
from tests.names import own
from tests.servers import REAL_PAGE
from tests.unit.app.cli.cli_runner import Cli
from tests.waiting import wait_until

KEY = "sesame-open-12345"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    cli = Cli(tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("TRIMTAB_API_KEY", KEY)
    return cli


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engines that other tests have started at the same time are none of ours."""
    monkeypatch.setattr(
        local,
        "engine_trees",
        lambda **told: [tree for tree in engine_trees(**told) if _is_of_this_test(tree.root.pid)],
    )


def _is_of_this_test(pid: int) -> bool:
    """Whether a process is in a session that was begun from here."""
    try:
        leader = read_process(os.getsid(pid))
    except ProcessLookupError:
        return False
    return leader is not None and leader.ppid == os.getpid()


class Stranger:
    """Another user's engine, and what it heard."""

    def __init__(self, engine: FakeEngine, heard: Path) -> None:
        self.engine = engine
        self._heard = heard

    @property
    def heard(self) -> str:
        return self._heard.read_text()


def open_to_all(home: Path) -> Path:
    for directory in (home, *home.parents[:3]):
        if directory.owner() == "root" and directory != Path("/tmp"):
            directory.chmod(0o755)
    return home


@contextmanager
def stranger(
    tmp_path_factory: pytest.TempPathFactory, *words: str, **spec: object
) -> Iterator[Stranger]:
    home = open_to_all(tmp_path_factory.mktemp("stranger"))
    heard = home / "heard"
    heard.touch()
    heard.chmod(0o666)
    with fake_engine(home, *words, user="nobody", heard=str(heard), **spec) as engine:
        yield Stranger(engine, heard)


def test_a_strangers_engine_is_listed_and_sent_nothing(
    cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with stranger(tmp_path_factory, own("m")) as other:
        listed = cli("engines", "--json").json
        told = next(engine for engine in listed if engine["pid"] == other.engine.pid)
        assert told["vllm_version"] is None
        assert "runs as nobody, so it is read where its address is given" in told["reason"]
        for words in (["record", "--for", "1s"], ["show", "--for", "1s"], ["knobs"], ["variants"]):
            ran = cli(*words)
            assert ran.code == 3, words
            assert "Only engines of other users run on this machine (nobody)" in ran.err
        assert other.heard == ""


def count_calls(monkeypatch: pytest.MonkeyPatch, work: Counter[str], of: object, name: str) -> None:
    done = getattr(of, name)

    def count(*args: object) -> object:
        work[name] += 1
        return done(*args)

    monkeypatch.setattr(of, name, count)


def test_many_processes_of_a_strangers_cost_no_more_than_one(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the whole machine tells is read once, and of one user's only so many are looked at."""
    work: Counter[str] = Counter()
    count_calls(monkeypatch, work, listeners, "tcp_listeners")
    count_calls(monkeypatch, work, naming, "list_serving")
    count_calls(monkeypatch, work, registry, "list_serving")
    count_calls(monkeypatch, work, location, "socket_inodes")
    per_look = []
    for count in (LISTED_OF_A_STRANGER, LISTED_OF_A_STRANGER + 4):
        home = open_to_all(tmp_path_factory.mktemp("strangers"))
        with strangers(home / "theirs", count):
            work.clear()
            found = [each for each in find_engines() if each.user == "nobody"]
            per_look.append(dict(work))
        assert len(found) == LISTED_OF_A_STRANGER
        assert all(each.arguments == () for each in found)
    assert per_look[0] == per_look[1]


def test_an_engine_of_ours_is_found_without_a_look_at_strangers(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: Counter[str] = Counter()
    count_calls(monkeypatch, work, location, "socket_inodes")
    per_count = []
    with fake_engine(tmp_path / "mine", name := own("mine"), plugins=[True]) as mine:
        for count in (0, 3):
            home = open_to_all(tmp_path_factory.mktemp("strangers"))
            with strangers(home / "theirs", count):
                work.clear()
                for handle in (handle_at(mine.url), handle_of(name), handle_of(None)):
                    assert handle is not None and handle.life.pid == mine.pid
                assert [each.pid for each in find_engines(only_own=True)] == [mine.pid]
                assert stranger_at(mine.url) == ""
                per_count.append(dict(work))
    assert per_count[0] == per_count[1]


def test_our_own_are_found_without_the_table_of_all_listeners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers may fill it: where ours serve is asked for, and one that starts has no socket."""
    work: Counter[str] = Counter()
    count_calls(monkeypatch, work, listeners, "tcp_listeners")
    with (
        fake_engine(tmp_path / "a", own("mine"), plugins=[True]) as mine,
        fake_engine(tmp_path / "b", own("wide"), host="0.0.0.0") as wide,
        fake_engine(tmp_path / "c", own("next"), listen=False) as starting,
    ):
        found_pids = {each.pid for each in find_engines(only_own=True)}
        assert found_pids == {mine.pid, wide.pid, starting.pid}
        handle = handle_at(mine.url)
        assert handle is not None and handle.life.pid == mine.pid
    assert not work


def test_to_find_our_own_no_process_of_a_strangers_is_read(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_pids = []

    def read(pid: int) -> Process | None:
        read_pids.append(pid)
        return read_process(pid)

    monkeypatch.setattr(procfs, "read_process", read)
    home = open_to_all(tmp_path_factory.mktemp("strangers"))
    with strangers(home / "theirs", 3):
        theirs = {tree.root.pid for tree in engine_trees() if other_user(tree.root.pid)}
        assert len(theirs) >= 3
        read_pids.clear()
        engine_trees(no_strangers=True)
        assert os.getpid() in read_pids
        assert not theirs.intersection(read_pids)


def test_of_a_strangers_long_command_line_the_beginning_is_read(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    many_words = ["--x"] * 3_000
    with (
        stranger(tmp_path_factory, own("m"), *many_words) as other,
        stranger(tmp_path_factory, own("n"), "y" * 100_000) as long_word,
        fake_engine(tmp_path, own("o"), *many_words) as mine,
    ):
        theirs, its_word, ours = map(
            read_process, (other.engine.pid, long_word.engine.pid, mine.pid)
        )
        assert theirs is not None and its_word is not None and ours is not None
        assert theirs.arguments == ("vllm", "serve", own("m"), *many_words[:97])
        assert its_word.arguments == ("vllm", "serve", own("n"))
        assert ours.arguments[3:3_003] == tuple(many_words)


def test_a_strangers_knob_socket_is_not_asked(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not answer, and whoever lists engines would wait."""
    work: Counter[str] = Counter()
    count_calls(monkeypatch, work, PluginClient, "hello")
    with stranger(tmp_path_factory, own("m"), plugins=[True]) as other:
        found = next(each for each in find_engines() if each.pid == other.engine.pid)
    assert found.control == "live"
    assert not work


def test_a_strangers_engine_is_read_where_it_is_named(
    cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with stranger(tmp_path_factory, own("m")) as other:
        listed = cli("engines", other.engine.url, "--json").json
        assert listed[0]["vllm_version"] == "0.32.0"
        assert f"/version Bearer {KEY}" in other.heard


def test_the_key_goes_to_named_addresses_and_to_our_own_that_have_it(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = ApiKeys(KEY, ("http://127.0.0.1:8000/llm",))
    assert KEY not in repr(keys)
    assert keys.of("http://127.0.0.1:8000") == KEY
    for url in ("https://127.0.0.1:8000", "http://127.0.0.1:80", "http://127.0.0.2:8000"):
        assert keys.of(url) is None
    having = {"VLLM_API_KEY": KEY}
    with (
        fake_engine(tmp_path / "a", "m") as without,
        fake_engine(tmp_path / "b", "m", env=having) as with_key,
        fake_engine(tmp_path / "c", "m", "--api-key", KEY) as with_flag,
        stranger(tmp_path_factory, "m", "--api-key", KEY) as other,
    ):
        assert keys.of(without.url, without.pid) is None
        assert keys.of(with_key.url, with_key.pid) == KEY
        assert keys.of(with_flag.url, with_flag.pid) == KEY
        assert keys.of(other.engine.url, other.engine.pid) is None


@pytest.mark.parametrize(
    "path", ["@127.0.0.1:1", "/../x", "//there", "/a?b=c", "/a#b", "/ä", "/a b", ":1/", "/a@b"]
)
def test_a_root_path_cannot_move_the_address(tmp_path: Path, path: str) -> None:
    with fake_engine(tmp_path, own("m"), f"--root-path={path}") as engine:
        info = next(each for each in find_engines() if each.pid == engine.pid)
    assert info.url == engine.url


def test_an_address_behind_a_gateway_is_not_this_host_s(monkeypatch: pytest.MonkeyPatch) -> None:
    table = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"  # via 172.17.0.1
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"  # 172.17.0.0/16
    )
    monkeypatch.setattr(routes, "read_text", lambda _: table)
    assert routes.is_on_link("172.17.3.4")
    assert not routes.is_on_link("93.184.216.34")
    monkeypatch.setattr(routes, "read_text", lambda _: None)
    assert not routes.is_on_link("172.17.3.4")


def serve_as(name: str, engine: FakeEngine) -> None:
    """Write the engine down as one that `trimtab serve --name` started."""
    ticks = lifetime.start_ticks(engine.pid)
    assert ticks is not None
    registry.save(registry.Serving(name, engine.pid, ticks, engine.url, "m", ""))


def test_a_stranger_does_not_take_the_name_that_was_given(
    cli: Cli, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = own("chat")
    with (
        stranger(tmp_path_factory, "x", "--served-model-name", name, plugins=[True]) as older,
        fake_engine(tmp_path / "mine", "y", plugins=[True]) as mine,
    ):
        serve_as(name, mine)
        names = {each.pid: each.name for each in find_engines()}
        assert names[mine.pid] == name
        assert names[older.engine.pid] == f"{name}-{older.engine.port}"
        assert engine_to_turn(name, None).life.pid == mine.pid
        assert live_engine(name, None).pid == mine.pid
        assert live_engine(None, None).pid == mine.pid
        only = handle_of(None)
        assert only is not None and only.life.pid == mine.pid


def test_the_screen_opens_the_engine_that_was_named_or_none(cli: Cli, tmp_path: Path) -> None:
    name = own("chat")
    with fake_engine(tmp_path / "a", "m") as engine, Ledger.open(cli.db) as ledger:
        engines = find_engines()
        with pytest.raises(BadInput, match=f"No engine is called '{name}'"):
            _first_shown(name, engines, ledger)
        serve_as(f"{name}@old", engine)  # in the midst of a swap
        assert _first_shown(name, engines, ledger) == engine.url
        assert _first_shown(None, engines, ledger) == engines[0].url


def test_without_an_engine_of_our_own_none_is_meant(
    cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    only_others = pytest.raises(EngineUnreachable, match="Only engines of other users")
    with stranger(tmp_path_factory, own("m"), plugins=[True]), only_others:
        engine_to_turn(None, None)


def test_a_stranger_that_takes_the_address_is_let_go(
    cli: Cli,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_recorder, "REDISCOVER_EVERY_S", 0.2)
    metrics = REAL_PAGE.decode()
    with held_port() as port:
        with fake_engine(tmp_path / "a", "m", at_port=port, metrics=metrics) as mine:
            recorder = Recorder(cli.db, [live_engine(None, None)], 0.1, ApiKeys(KEY))
            recorder.start()
            wait_until(lambda: state(cli.db, mine.url) == "ok")
        with stranger(tmp_path_factory, "m", at_port=port, metrics=metrics) as other:
            wait_until(lambda: "of nobody has its address" in reason(cli.db, mine.url))
            heard = other.heard
            time.sleep(1.0)
            assert other.heard == heard
            assert KEY not in heard
        with fake_engine(tmp_path / "b", "m", at_port=port, metrics=metrics):
            wait_until(lambda: state(cli.db, mine.url) == "ok")
        recorder.stop()


def row_of(db: Path, url: str) -> EngineRow | None:
    with Ledger.open(db, readonly=True) as ledger:
        return find_engine(ledger, url)


def state(db: Path, url: str) -> str:
    row = row_of(db, url)
    return "" if row is None else row.state


def reason(db: Path, url: str) -> str:
    row = row_of(db, url)
    return "" if row is None else row.state_reason
