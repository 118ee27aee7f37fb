"""Discovery among servers that hang, lie or attack, and processes that die or belong to others."""

import os
import shutil
import signal
import traceback
from pathlib import Path

import pytest

from engines.control import plugin_sockets
from engines.discovery.find import find_engines, probe
from engines.discovery.location import locate
from engines.engine_info import EngineInfo
from engines.host import procfs
from engines.host.listeners import owner_of, tcp_listeners
from engines.host.processes import engine_trees, orphans
from engines.inside.trimtab_inside.private_socket.sockets import place_of
from store.errors import EngineUnreachable
from tests.fakes.engine_trees import FakeEngine, fake_engine
from tests.names import own
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("own_data")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")


@pytest.fixture
def own_data(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path_factory.mktemp("data")))


def found(engine: FakeEngine, deadline_s: float = 20.0) -> EngineInfo:
    return next(one for one in find_engines(deadline_s=deadline_s) if one.pid == engine.pid)


def test_a_hung_server_keeps_its_knobs_and_delays_nobody(tmp_path: Path) -> None:
    with (
        fake_engine(tmp_path / "a", "org/hung", hang=True, plugins=[True]) as hung,
        fake_engine(tmp_path / "b", "org/well") as well,
    ):
        by_pid = {one.pid: one for one in find_engines(deadline_s=4)}
        with pytest.raises(EngineUnreachable, match="no whole answer within"):
            probe(hung.url, deadline_s=0.5)
    assert by_pid[well.pid].vllm_version == "0.32.0"
    assert by_pid[hung.pid].vllm_version is None
    assert by_pid[hung.pid].model == "org/hung"
    assert by_pid[hung.pid].control == "live"
    assert by_pid[hung.pid].reason.startswith("does not answer: no whole answer within 4 s")


@pytest.mark.parametrize(
    "name",
    ["\x1b[2J\x1b]0;owned\x07m", "[red]m[/red] [@click=app.quit]x[/]", "a\nb\u202ec", "x" * 9999],
)
def test_names_that_attack_the_terminal_are_only_text(tmp_path: Path, name: str) -> None:
    version = f"0.32.0{name}"
    with fake_engine(tmp_path, "--config", "c.yaml", model=name, version=version) as engine:
        info = found(engine)
    assert info.model is not None and info.vllm_version is not None
    for text in (info.model, info.vllm_version, info.name, info.url, info.reason):
        assert text.isprintable()
        assert len(text) < 400
    assert not set(info.name) & set("[]@/ ")


def test_arguments_that_attack_the_terminal_are_only_text(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", "--chat-template", "\x1b[2J{{x}}\n") as engine:
        info = found(engine)
    assert all(text.isprintable() for text in info.arguments)


@pytest.mark.parametrize("answer", [None, 7, {"a": 1}, "", []])
def test_a_version_that_is_no_text_is_none(tmp_path: Path, answer: object) -> None:
    with fake_engine(tmp_path, "m", version=answer, metrics="vllm:x 1\n") as engine:
        info = found(engine)
    assert info.vllm_version is None
    assert "does not answer" not in info.reason


def test_orphans_are_named_when_their_api_server_dies(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", plugins=[False, False]) as engine:
        cores = {p.pid for p in procfs.descendants(engine.pid, procfs.processes())}
        os.kill(engine.pid, signal.SIGKILL)
        # The EngineCores; their Workers are below them. They lose their parent one by one.
        wait_until(lambda: sum(p.pid in cores for p in orphans()) == 2)
        assert engine.pid not in [one.pid for one in find_engines()]


@needs_root
def test_a_socket_that_another_user_could_have_put_there_is_not_trusted(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", plugins=[True]) as engine:
        tree = next(t for t in engine_trees() if t.root.pid == engine.pid)
        core = tree.cores[0]
        path = place_of(f"{core.pid}.sock", 0)
        assert plugin_sockets.find_socket(core, 0) == path
        path.chmod(0o666)
        assert plugin_sockets.find_socket(core, 0) is None
        path.chmod(0o600)
        os.chown(path, 65534, 65534)
        assert plugin_sockets.find_socket(core, 0) is None
        os.chown(path, 0, 0)
        other = next(p for p in tree.members if p.pid != core.pid)
        taken = place_of(f"{other.pid}.sock", 0)
        path.rename(taken)
        assert plugin_sockets.find_socket(other, 0) is None  # it does not listen there
        taken.unlink()


@needs_root
def test_a_plugin_in_a_tmp_of_its_own_is_met_through_proc(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", plugins=[True], own_tmp=True) as engine:
        info = found(engine)
    assert info.control == "live"
    (socket,) = info.sockets
    assert str(socket).startswith("/proc/")


@needs_root
def test_an_engine_shut_in_its_container_is_listed_with_the_reason(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", own_network=True, host="0.0.0.0") as engine:
        info = found(engine)
    assert info.url == f"pid://{engine.pid}:{engine.port}"
    assert (info.control, info.model) == ("observe", "m")
    assert "inside its container only" in info.reason


@needs_root
@pytest.mark.skipif(shutil.which("ip") is None, reason="needs ip(8) to make a network")
def test_an_engine_in_a_container_is_reached_at_its_own_address(tmp_path: Path) -> None:
    commands = ["ip link set lo up", "ip address add 192.0.2.77/24 dev lo"]
    with fake_engine(
        tmp_path, "m", own_network=True, host="0.0.0.0", network_commands=commands
    ) as engine:
        (tree,) = (tree for tree in engine_trees() if tree.root.pid == engine.pid)
        location = locate(tree)
    assert location is not None
    assert location.urls == (f"http://192.0.2.77:{engine.port}",)
    assert location.listeners == ()  # none of this machine's own


@needs_root
def test_another_users_engine_is_observed(tmp_path: Path) -> None:
    home = Path("/tmp") / f"trimtab-test-{os.getpid()}"
    model = own("m")
    try:
        with (
            # To that user nothing tells where it listens, and its sockets lie in a closed place.
            fake_engine(tmp_path, own("roots"), plugins=[True], listen=False),
            fake_engine(home, model, user="nobody", plugins=[False], model=model) as engine,
        ):
            assert found(engine).model == model
            child = os.fork()
            if child == 0:
                _check_as_stranger(engine, model)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
    finally:
        (home / "serve").unlink(missing_ok=True)
        home.rmdir()


def _check_as_stranger(engine: FakeEngine, model: str) -> None:
    """In a process of its own, as a user who may not look into the engine's."""
    code = 1
    "host".encode("idna")  # loaded while we may still read the standard library
    try:
        os.setgroups([])
        os.setgid(12345)
        os.setuid(12345)
        info = found(engine)
        assert (info.url, info.model, info.control) == (engine.url, model, "observe")
        assert "run trimtab as nobody to change its knobs" in info.reason
        assert procfs.environment(engine.pid, ("PATH=",)) is None
        assert procfs.working_directory(engine.pid) is None
        inode = next(li.inode for li in tcp_listeners() if li.port == engine.port)
        assert owner_of(inode) is None
        assert info.vllm_version is None  # its address was not named
        assert probe(engine.url).vllm_version == "0.32.0"
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def test_processes_that_vanish_while_read_are_left_out() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    # Dead but not reaped: /proc still lists it.
    wait_until(lambda: procfs.read_process(child) is None)
    assert child in procfs.process_ids()
    assert child not in procfs.processes()
    os.waitpid(child, 0)
    assert procfs.read_process(child) is None
    assert procfs.user_id(child) is None
    assert procfs.environment(child, ("PATH=",)) is None
