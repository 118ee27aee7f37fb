"""Discovery on real processes that look like vLLM from outside."""

import os
import signal
from pathlib import Path

import pytest

from engines.control.api_front import front_path
from engines.discovery import naming
from engines.discovery.find import find_engines, probe
from engines.engine_info import EngineInfo
from engines.host import lifetime
from engines.host.orphans import end_orphans, find_orphans
from engines.host.processes import engine_of, engine_trees, orphans
from engines.host.procfs import Process, descendants, processes
from engines.serving import registry
from engines.serving.name_lock import name_lock
from store.errors import BadInput, EngineUnreachable
from tests.addresses import held_port
from tests.fakes.engine_trees import FakeEngine, fake_engine
from tests.names import own
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def own_data(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(data))
    return data


def found(engine: FakeEngine) -> EngineInfo:
    return next(one for one in find_engines() if one.pid == engine.pid)


def cores_of(engine: FakeEngine) -> tuple[Process, ...]:
    return next(tree for tree in engine_trees() if tree.root.pid == engine.pid).cores


def pids() -> list[int | None]:
    return [one.pid for one in find_engines()]


@pytest.mark.parametrize("style", ["vllm", "script", "module"])
def test_each_way_to_start_vllm_is_found(tmp_path: Path, style: str) -> None:
    name = own("Tiny-1B")
    model = ["--model", f"org/{name}"] if style == "module" else [f"org/{name}"]
    with fake_engine(tmp_path, *model, style=style, plugins=[False]) as engine:
        info = found(engine)
    assert (info.url, info.name, info.model) == (engine.url, name, f"org/{name}")
    assert (info.vllm_version, info.control) == ("0.32.0", "observe")
    assert "opened no socket" in info.reason
    assert info.started_ms is not None


def test_a_shell_that_mentions_vllm_is_no_engine(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "vllm", "serve", "model", style="other", plugins=[]) as engine:
        assert engine.pid not in pids()


def test_the_plugin_in_every_core_gives_live_control(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", plugins=[True, True], api_servers=2) as engine:
        info = found(engine)
        cores = cores_of(engine)
    assert info.control == "live"
    assert {int(path.stem) for path in info.sockets} == {core.pid for core in cores}
    assert len(cores) == 2


def test_data_parallel_engines_are_one_engine_of_the_topmost_process(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", plugins=[True, True], api_servers=2) as engine:
        family = {p.pid for p in descendants(engine.pid, processes())}
        assert len(family) == 6
        assert [pid for pid in pids() if pid in family or pid == engine.pid] == [engine.pid]
        assert {engine_of(pid) for pid in family} == {engine.pid}


def test_a_core_without_a_socket_is_told_by_pid(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", plugins=[True, False]) as engine:
        info = found(engine)
        second = sorted(cores_of(engine), key=lambda core: core.pid)[1]
    assert info.control == "observe"
    assert f"1 of 2 EngineCores have no plugin socket (PID {second.pid})" in info.reason


def test_a_plugin_of_another_protocol_is_only_observed(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", plugins=[True], protocol=99) as engine:
        info = found(engine)
    assert info.control == "observe"
    assert "protocol 99" in info.reason


def test_without_titles_the_socket_alone_tells_the_core(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", plugins=[True], titled=False) as engine:
        assert cores_of(engine) == ()
        assert found(engine).control == "live"


def test_vllm_plugins_that_leaves_ours_out_is_named(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", env={"VLLM_PLUGINS": "lora_filesystem_resolver"}) as engine:
        assert "VLLM_PLUGINS" in found(engine).reason
    with fake_engine(tmp_path, "m", env={"PYTHONPATH": ""}) as engine:
        assert "started without trimtab's plugin" in found(engine).reason


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1"), ("::", "http://[::1]"), ("::1", "http://[::1]")],
)
def test_the_address_is_one_that_answers(tmp_path: Path, host: str, url: str) -> None:
    with fake_engine(tmp_path, "m", host=host) as engine:
        info = found(engine)
        assert info.url == f"{url}:{engine.port}"
        assert info.vllm_version == "0.32.0"


def test_root_path_and_served_name(tmp_path: Path) -> None:
    name = own("chat")
    words = ("/models/x", "--served-model-name", name, "alias", "--root-path=/llm/")
    with fake_engine(tmp_path, *words, root_path="/llm", model=name) as engine:
        info = found(engine)
        assert info.url == f"{engine.url}/llm"
        assert (info.name, info.model, info.vllm_version) == (name, name, "0.32.0")
        assert probe(f"{engine.url}/llm/v1") == info


def test_a_model_from_a_config_file_is_asked_for(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "--config", "x.yaml", model="org/From-File") as engine:
        assert found(engine).model == "org/From-File"
    with fake_engine(tmp_path, "--config", "x.yaml", api_key="sesame") as engine:
        info = found(engine)
        assert (info.model, info.vllm_version) == (None, "0.32.0")
        # Another engine of this host may go by the address as well: then its port is added.
        assert info.name in ("127.0.0.1", f"127.0.0.1-{engine.port}")
        assert probe(engine.url, "sesame").model == "tiny"
        assert "sesame" not in repr(probe(engine.url, "sesame"))


def test_secrets_of_the_command_line_stay_there(tmp_path: Path) -> None:
    words = ("m", "--api-key", "sesame", "open", "--hf-token=hf_abcdefghijklmnopqrst")
    with fake_engine(tmp_path, *words, env={"VLLM_API_KEY": "sesame"}) as engine:
        info = found(engine)
    assert "sesame" not in repr(info)
    assert "hf_abc" not in repr(info)
    assert info.arguments[:6] == ("vllm", "serve", "m", "--api-key", "***", "***")


def test_names_are_unique_and_the_oldest_keeps_its_own(tmp_path: Path) -> None:
    name = own("same-name")
    with (
        fake_engine(tmp_path / "a", f"org/{name}") as first,
        fake_engine(tmp_path / "b", f"org/{name}") as second,
    ):
        names = {one.pid: one.name for one in find_engines()}
    assert names[first.pid] == name
    assert names[second.pid] == f"{name}-{second.port}"


def test_the_name_given_at_serve_is_kept(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m") as engine:
        ticks = lifetime.start_ticks(engine.pid)
        assert ticks is not None
        registry.save(registry.Serving("night-shift", engine.pid, ticks, engine.url, "m", "log"))
        assert found(engine).name == "night-shift"


def test_an_engine_that_does_not_listen_yet_is_starting(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", listen=False) as engine:
        info = found(engine)
    assert info.url == engine.url
    assert "starting" in info.reason
    assert info.vllm_version is None


def test_an_engine_that_listens_no_more_is_being_stopped(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", listen=False) as engine:
        front = front_path(engine.pid, os.geteuid())
        front.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        front.touch()
        try:
            assert "is being stopped" in found(engine).reason
        finally:
            front.unlink()


def test_a_unix_socket_engine_is_listed_with_its_reason(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", "--uds", "x.sock", listen=False) as engine:
        info = found(engine)
    assert info.url == f"unix://{tmp_path}/x.sock"
    assert info.control == "observe"
    assert "Unix socket" in info.reason


def test_a_headless_node_is_no_engine(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", "--headless", listen=False) as engine:
        assert engine.pid not in pids()


def test_a_program_with_vllm_inside_counts_only_if_it_serves_as_vllm(tmp_path: Path) -> None:
    with fake_engine(tmp_path / "a", style="other", plugins=[True]) as engine:
        info = found(engine)
        assert (info.model, info.control) == ("tiny", "live")
    with fake_engine(tmp_path / "b", style="other", not_vllm=True) as engine:
        assert engine.pid not in pids()
    with fake_engine(tmp_path / "c", style="other", listen=False) as engine:
        assert engine.pid not in pids()


def test_probe_joins_the_local_process_under_each_of_its_names(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", host="0.0.0.0", plugins=[True]) as engine:
        expected = found(engine)
        for spelling in ("localhost:{}", "http://127.0.0.1:{}/", "{}", "http://127.0.0.2:{}"):
            info = probe(spelling.format(engine.port))
            assert (info.pid, info.control, info.sockets) == (
                engine.pid,
                "live",
                expected.sockets,
            )
            assert info.url == expected.url


def test_probe_says_whose_port_it_is(tmp_path: Path) -> None:
    with fake_engine(tmp_path, style="other", plugins=[]) as engine:
        info = probe(engine.url)
    assert (info.control, info.pid, info.model) == ("observe", None, "tiny")
    assert f"PID {engine.pid}" in info.reason


def test_probe_tells_nobody_from_somebody_else(tmp_path: Path) -> None:
    with (
        fake_engine(tmp_path, "m", not_vllm=True) as engine,
        pytest.raises(EngineUnreachable, match="not a vLLM engine"),
    ):
        probe(engine.url)
    with (
        held_port() as port,
        pytest.raises(EngineUnreachable, match="connection refused") as refused,
    ):
        probe(str(port))
    assert refused.value.exit_code == 3


def test_a_gateway_without_version_is_known_by_its_metrics(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m", not_vllm=True, metrics="vllm:num_requests_running 0\n") as e:
        assert probe(e.url).vllm_version is None


@pytest.mark.parametrize(
    "url",
    ["", "http://", "ftp://host", "http://[::1", "a b", "http://h:99999", "http://h:0", "http://h/?x=1",
     "http://u:sesame@h", "h\x1b[2J", "http://<b>"],
)  # fmt: skip
def test_nonsense_is_bad_input(url: str) -> None:
    with pytest.raises(BadInput) as error:
        probe(url)
    assert "sesame" not in str(error.value)
    assert str(error.value).isprintable()


def test_what_a_dead_api_server_leaves_is_named_and_ended(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m") as engine:
        below = {p.pid for p in descendants(engine.pid, processes())}
        assert below
        os.kill(engine.pid, signal.SIGKILL)
        wait_until(lambda: bool(below & {one.pid for one in find_orphans()}))
        found = [one for one in find_orphans() if one.pid in below]
        assert all((one.memory_bytes or 0) > 1 << 20 for one in found)
        assert {one.pid for one in found} <= {one.pid for one in end_orphans()}
        assert not below & set(processes())


def test_an_engine_that_is_to_take_over_is_not_listed(tmp_path: Path) -> None:
    with fake_engine(tmp_path / "engine", "m") as engine:
        ticks = lifetime.start_ticks(engine.pid)
        assert ticks is not None
        one = registry.Serving("chat@next", engine.pid, ticks, engine.url, "m", "log")
        assert engine.pid in {found.pid for found in find_engines()}
        registry.save(one)
        with name_lock("chat"):  # its keeper's
            assert engine.pid not in {found.pid for found in find_engines()}
        assert engine.pid in {found.pid for found in find_engines()}, "it was left alone"
        registry.rename("chat@next", "chat")
        assert "chat" in {found.name for found in find_engines()}


def test_no_orphans_among_living_engines(tmp_path: Path) -> None:
    with fake_engine(tmp_path, "m") as engine:
        family = {p.pid for p in descendants(engine.pid, processes())}
        assert not family & {p.pid for p in orphans()}


def test_a_name_that_looks_like_a_swap_s_is_the_user_s_own(tmp_path: Path) -> None:
    name = own("llama") + ".old"
    with fake_engine(tmp_path / name, f"/models/{name}") as engine:
        ticks = lifetime.start_ticks(engine.pid)
        assert ticks is not None
        registry.save(registry.Serving(name, engine.pid, ticks, engine.url, "m", "log"))
        assert found(engine).name == name
        registry.rename(name, f"{name}@old")  # now it is in a swap, and leaves
        with name_lock(name):
            assert engine.pid not in pids()


def test_an_engine_in_a_swap_is_never_called_by_its_name_there(tmp_path: Path) -> None:
    """What is found before it is renamed may be named after it."""
    with fake_engine(tmp_path, "m") as engine:
        ticks = lifetime.start_ticks(engine.pid)
        assert ticks is not None
        for ending in ("", "@next", "@other", "@old"):
            registry.save(
                registry.Serving(f"chat{ending}", engine.pid, ticks, engine.url, "m", "log")
            )
            assert naming.given_names()[engine.pid] == "chat"
            registry.forget(f"chat{ending}")
