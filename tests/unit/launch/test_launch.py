"""Starting, following and stopping engines, with a small program in the place of vLLM."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engines.host import lifetime, procfs
from engines.host.cores import choose_cores
from engines.host.priority import NICE, give_way
from engines.launch.command import (
    Vllm,
    complete_arguments,
    launch_environment,
    take_secrets,
)
from engines.launch.launch import LaunchSpec
from engines.launch.prepare import prepare
from engines.launch.spawn import spawn
from engines.serving import registry, stopping
from engines.serving.causes import why_it_ended
from engines.serving.started import Started
from engines.serving.startup import Phase, StartFailed, wait_healthy
from store.errors import BadInput, NotAchieved
from tests.waiting import PATIENCE_S, wait_for_file, wait_until

CPU, GPU = Vllm(("vllm",), True), Vllm(("vllm",), False)

PROGRAM = """
import json, os, signal, socket, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
told = json.loads(os.environ.get("STUB", "{}"))
arguments = sys.argv[1:]
if told.get("deaf"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"argv": arguments, "env": dict(os.environ)}), flush=True)
for line in told.get("lines", ()):
    print(line, flush=True)
if "exit" in told:
    sys.exit(told["exit"])
if told.get("stubborn"):
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    child += "print('deaf', flush=True); time.sleep(600)"
    deaf = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
    deaf.stdout.readline()
if told.get("deaf"):
    time.sleep(600)
slow = told.get("slow", [])
requests = told.get("running", [0])
page = open(os.environ["PAGE"], "rb").read()
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/metrics":
            time.sleep(slow.pop(0) if slow else 0)
            count = requests.pop(0) if len(requests) > 1 else requests[0]
            gauge = b'\\nvllm:num_requests_running{engine="0",model_name="tiny"} '
            body = page.replace(gauge + b"0.0", gauge + b"%d.0" % count)
        else:
            body = b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=int(os.environ["TRIMTAB_LISTEN_FD"]))
print("INFO:     Application startup complete.", flush=True)
server.serve_forever()
"""

PAGE = str(Path(__file__).parents[2] / "fixtures" / "metrics" / "vllm-0.32.0.txt")

LINES = (
    "(APIServer pid=1) INFO 11-22 16:15:08 [model.py:733] Resolved architecture: LlamaForCausalLM",
    "(EngineCore pid=2) INFO 11-22 16:15:12 [core.py:133] Initializing a V1 LLM engine (v0.32.0)",
    "(Worker pid=3) INFO 11-22 16:15:19 [default_loader.py:501] Loading weights took 0.02 seconds",
)


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The python of an environment whose `vllm` is the program above."""
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRIMTAB_ENGINE_KIND", "cpu")
    monkeypatch.delenv("STUB", raising=False)
    (tmp_path / "bin").mkdir()
    (tmp_path / "model").mkdir()
    python = tmp_path / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    (tmp_path / "bin" / "vllm").write_text(PROGRAM)
    yield python
    for left in registry.list_serving():
        stopping.stop(left.name, drain_s=0, grace_s=0)


def launch(stub: Path, *arguments: str, **told: object) -> Started:
    environ = {**os.environ, "STUB": json.dumps({"lines": LINES, **told}), "PAGE": PAGE}
    spec = LaunchSpec(str(stub.parent.parent / "model"), None, arguments, stub, environ)
    with prepare(spec) as (ready, listener):
        return spawn(ready, listener)


def first_line(started: Started) -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, str]] = json.loads(started.log_path.read_text().splitlines()[0])
    return content


def test_it_is_started_followed_and_stopped(stub: Path) -> None:
    started = launch(stub)
    phases: list[Phase] = []
    wait_healthy(started, PATIENCE_S, phases.append)
    assert [phase.text for phase in phases][-1] == "serving"
    assert [p.index for p in phases] == sorted(p.index for p in phases)
    assert os.getsid(started.pid) == started.pid
    listed = registry.list_serving()
    assert [engine.name for engine in listed] == ["model"]
    state = Path(os.environ["TRIMTAB_DATA_DIR"]) / "serving" / "model.json"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(started.log_path.stat().st_mode) == 0o600

    stopped = stopping.stop("model", drain_s=PATIENCE_S, grace_s=PATIENCE_S)
    assert stopped.drained
    assert stopped.killed == ()
    assert lifetime.start_ticks(started.pid) is None
    assert registry.list_serving() == []
    assert not state.exists()


def test_it_gets_the_plugin_and_defaults_and_keeps_keys_off_the_command_line(stub: Path) -> None:
    started = launch(stub, "--api-key", "sk-very-secret", "--max-num-seqs=8")
    try:
        wait_healthy(started, PATIENCE_S)
        told = first_line(started)
        argv, env = told["argv"], told["env"]
        assert "sk-very-secret" not in argv
        assert env["VLLM_API_KEY"] == "sk-very-secret"
        assert (Path(env["PYTHONPATH"].split(":")[0]) / "trimtab_inside").is_dir()
        assert env["HF_HUB_OFFLINE"] == "1"
        state = Path(os.environ["TRIMTAB_DATA_DIR"]) / "serving" / "model.json"
        assert "secret" not in state.read_text()
    finally:
        stopping.stop(started.name, drain_s=1)


def test_running_requests_are_waited_for(stub: Path) -> None:
    started = launch(stub, running=[3, 2, 0])
    wait_healthy(started, PATIENCE_S)
    waits: list[str] = []
    assert stopping.stop("model", drain_s=PATIENCE_S, on_wait=waits.append).drained
    assert waits == ["waiting for 3 requests", "waiting for 2 requests", "ending its processes"]


def test_an_engine_that_is_slow_to_answer_is_still_waited_for(stub: Path) -> None:
    started = launch(stub, slow=[2.5])
    wait_healthy(started, PATIENCE_S)
    waits: list[str] = []
    assert stopping.stop("model", drain_s=PATIENCE_S, on_wait=waits.append).drained
    assert list(dict.fromkeys(waits)) == ["waiting for an answer", "ending its processes"]


def test_an_engine_that_still_loads_is_not_given_the_time_of_one_that_serves(stub: Path) -> None:
    started = launch(stub, deaf=True)
    wait_for_file(started.log_path)
    stopped = stopping.stop("model")
    assert stopped.killed == (started.pid,)
    assert stopped.took_s < 10


def test_what_never_drains_is_stopped_all_the_same_and_told(stub: Path) -> None:
    started = launch(stub, running=[4])
    wait_healthy(started, PATIENCE_S)
    assert not stopping.stop("model", drain_s=0.5).drained
    assert lifetime.start_ticks(started.pid) is None


def test_a_child_that_ignores_sigterm_is_killed_and_nothing_else(stub: Path) -> None:
    started = launch(stub, stubborn=True)
    wait_healthy(started, PATIENCE_S)
    family = lifetime.session_of(started.pid, started.start_ticks)
    assert len(family) == 2
    stopped = stopping.stop("model", drain_s=1, grace_s=1)
    assert set(stopped.killed) == set(family) - {started.pid}
    assert all(lifetime.start_ticks(pid) is None for pid in family)


def test_orphans_of_a_killed_engine_are_stopped(stub: Path) -> None:
    started = launch(stub, stubborn=True)
    wait_healthy(started, PATIENCE_S)
    assert lifetime.send(started.pid, started.start_ticks, signal.SIGKILL)
    wait_until(lambda: not lifetime.is_alive(started.pid, started.start_ticks))
    (orphan,) = lifetime.session_of(started.pid, started.start_ticks)
    assert registry.list_serving() == []
    assert stopping.stop("model", drain_s=1, grace_s=0.5).killed == (orphan,)


def test_a_pid_that_was_given_to_another_process_is_left_alone(stub: Path) -> None:
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        ticks = lifetime.start_ticks(stranger.pid)
        assert ticks is not None
        assert lifetime.session_of(stranger.pid, ticks) == {stranger.pid: ticks}
        assert lifetime.session_of(stranger.pid, ticks - 1) == {}
        assert lifetime.session_of(stranger.pid, ticks + 1) == {}
    finally:
        stranger.kill()
        stranger.wait()
    assert lifetime.session_of(0, 1) == {}
    assert not lifetime.send(os.getpid(), 1, signal.SIGKILL)
    registry.save(registry.Serving("old", os.getpid(), 1, "http://127.0.0.1:1", "m", "log"))
    assert registry.list_serving() == []
    with pytest.raises(NotAchieved, match="no engine named old"):
        stopping.stop("old")


def test_a_process_gives_way_with_its_whole_session() -> None:
    script = "import subprocess; input(); subprocess.run(['cat', '/proc/self/stat'])"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    give_way(process.pid)
    session = Path(f"/proc/{process.pid}/autogroup")
    if session.exists() and Path("/proc/sys/kernel/sched_autogroup_enabled").read_text() == "1\n":
        assert session.read_text().endswith(f"nice {NICE}\n")
    stat_of_child, _ = process.communicate(b"\n", timeout=PATIENCE_S)
    assert int(stat_of_child.split(b")")[1].split()[16]) == NICE
    give_way(process.pid)  # it has ended: no matter


def test_an_engine_that_ends_while_starting_says_why(stub: Path) -> None:
    started = launch(
        stub,
        exit=1,
        lines=[
            "(Worker pid=3) ERROR 11-22 16:18:01 [multiproc_executor.py:1063] Traceback:",
            "(Worker pid=3) ERROR 11-22 16:18:01 [x.py:1] \x1b[31mValueError: no token=abc here",
            "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause",
        ],
    )
    with pytest.raises(StartFailed) as caught:
        wait_healthy(started, PATIENCE_S)
    assert caught.value.exit_code == 1
    assert caught.value.meaning == "ValueError: no token=*** here"
    assert str(started.log_path) in caught.value.remedy


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (
            "usage: vllm serve [-h]\nvllm serve: error: unrecognized arguments: --foo",
            "vllm serve: error: unrecognized arguments: --foo",
        ),
        (
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
            "  Value error, Unknown model type [type=value_error, input_value=1]\n",
            "Value error, Unknown model type",
        ),
        ("Killed by somebody\n\n", "Killed by somebody"),
        ("", ""),
    ],
)
def test_the_root_cause_is_found_in_a_log(tmp_path: Path, log: str, why: str) -> None:
    (tmp_path / "log").write_text(log)
    assert why_it_ended(tmp_path / "log") == why


def test_an_engine_that_is_too_slow_is_left_running(stub: Path) -> None:
    started = launch(stub, lines=LINES[:1], stubborn=False, port_delay=1)
    try:
        with pytest.raises(StartFailed, match="still starting"):
            wait_healthy(started, 0.0)
        assert lifetime.is_alive(started.pid, started.start_ticks)
    finally:
        stopping.stop(started.name, drain_s=0)


def test_a_free_port_is_taken_unless_one_is_asked_for(stub: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(NotAchieved, match=f"port {port} of 127.0.0.1 is taken"):
            launch(stub, "--port", str(port))
    started = launch(stub)
    other = launch(stub)
    try:
        assert started.url != other.url
        assert (started.name, other.name) == ("model", "model-2")
    finally:
        stopping.stop(started.name, drain_s=0)
        stopping.stop(other.name, drain_s=0)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 65, "a\n", "-x"])
def test_a_name_that_is_no_file_name_is_refused(stub: Path, name: str) -> None:
    spec = LaunchSpec(str(stub.parent.parent / "model"), name=name, python=stub)
    with pytest.raises(BadInput), prepare(spec):
        pass


def test_a_missing_python_is_told(stub: Path) -> None:
    model = str(stub.parent.parent / "model")
    spec = LaunchSpec(model, python=stub.with_name("nothing"))
    with pytest.raises(NotAchieved, match="does not exist"), prepare(spec):
        pass


def test_the_users_arguments_win_over_the_defaults() -> None:
    given = ("--dtype=float32", "--max_num_seqs", "8", "--no-enforce-eager", "--port", "9000")
    complete = complete_arguments("m", given, host="127.0.0.1", port=9000, vllm=CPU)
    assert complete == (*given, "--host", "127.0.0.1", "--max-model-len", "2048")
    on_gpu = complete_arguments("m", (), host="127.0.0.1", port=8000, vllm=GPU)
    assert on_gpu == ("--host", "127.0.0.1", "--port", "8000")
    dtypes = {"tiny": "float32", "smollm2": "float32", "smollm2-int4": "half", "/models/x": "half"}
    for model, dtype in dtypes.items():
        defaults = complete_arguments(model, (), host="127.0.0.1", port=8000, vllm=CPU)
        assert defaults[defaults.index("--dtype") + 1] == dtype
    with_file = complete_arguments("m", ("--config", "c.yaml"), host="::1", port=8000, vllm=CPU)
    assert "--dtype" not in with_file
    assert "--port" not in complete_arguments("m", ("--uds", "/tmp/s"), host="x", port=1, vllm=CPU)


def test_secrets_leave_the_arguments() -> None:
    arguments = ("--api-key", "k", "--seed", "1", "--hf-token=t", "--api_key=j")
    kept, secrets = take_secrets(arguments)
    assert kept == ("--seed", "1")
    assert secrets == {"VLLM_API_KEY": "j", "HF_TOKEN": "t"}
    several = ("--api-key", "a", "b", "--seed", "1")
    assert take_secrets(several) == (several, {})
    assert take_secrets(("--hf-token", "--seed", "1")) == (("--hf-token", "--seed", "1"), {})


def test_the_users_variables_win_over_the_defaults() -> None:
    theirs = {"HF_HUB_OFFLINE": "0", "VIRTUAL_ENV": "/ours", "TRIMTAB_API_KEY": "k", "A": "b"}
    environ = launch_environment(theirs, {}, CPU, (1,), ())
    assert environ["HF_HUB_OFFLINE"] == "0"
    assert environ["VLLM_CPU_OMP_THREADS_BIND"] == "1"
    assert environ["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert environ["A"] == "b"
    assert not {"VIRTUAL_ENV", "TRIMTAB_API_KEY"} & set(environ)
    parallel = launch_environment({}, {}, CPU, (1,), ("--tensor-parallel-size", "2"))
    assert "VLLM_CPU_OMP_THREADS_BIND" not in parallel
    assert not any("CPU" in name for name in launch_environment({}, {}, GPU, (), ()))


def test_two_engines_get_different_cores_and_the_host_keeps_some() -> None:
    assert choose_cores([0, 1], set()) == (1,)
    assert choose_cores([0, 1], {1}) == (0,)
    assert choose_cores([0, 1], {0, 1}) == (1,)
    assert choose_cores([3], set()) == (3,)
    assert choose_cores([0, 1, 2, 3, 4], set()) == (3, 4)
    assert choose_cores([0, 1, 2, 3, 4], {3, 4}) == (0, 1)


def test_an_engine_that_cannot_be_written_down_is_not_left_running(stub: Path) -> None:
    data = Path(os.environ["TRIMTAB_DATA_DIR"])
    data.mkdir(parents=True, exist_ok=True)
    (data / "serving").write_text("in the way")
    ours = {process.pid for process in procfs.processes().values()}
    with pytest.raises(NotAchieved, match="cannot be written down as running"):
        launch(stub)
    left = [
        process
        for process in procfs.processes().values()
        if process.pid not in ours and str(stub.parent) in " ".join(process.arguments)
    ]
    assert left == []


DAEMON = """
import os, sys, time
if os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("healthy", [True, False], ids=["was healthy", "never healthy"])
def test_a_daemon_that_has_the_session_s_number_now_is_left_alone(
    stub: Path, healthy: bool
) -> None:
    """The first process has ended, and its PID was given to one that began a session with it."""
    leader = subprocess.Popen(
        [sys.executable, "-c", DAEMON], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert leader.stdout is not None
    daemon = int(leader.stdout.readline())
    leader.wait(PATIENCE_S)
    leader.stdout.close()
    try:
        assert set(lifetime.session_of(leader.pid, 1)) == {daemon}
        members = ((leader.pid, 1), (daemon, 1)) if healthy else ()
        stale = registry.Serving(
            "old", leader.pid, 1, "http://127.0.0.1:1", "m", "log",
            boot=lifetime.boot_id(), program="/opt/engine/python", members=members,
        )  # fmt: skip
        registry.save(stale)
        with pytest.raises(NotAchieved, match="no engine named old"):
            stopping.stop("old", drain_s=0, grace_s=0.2)
        assert lifetime.start_ticks(daemon) is not None
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_an_engine_of_another_boot_is_none(stub: Path) -> None:
    here = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        ticks = lifetime.start_ticks(here.pid)
        assert ticks is not None
        before = registry.Serving("old", here.pid, ticks, "http://x", "m", "log", boot="another")
        registry.save(before)
        assert registry.list_serving() == []
        assert registry.find_serving("old") is None
        assert registry.family(before) == {}
        registry.save(replace(before, boot=lifetime.boot_id()))
        assert registry.family(replace(before, boot="")) == {here.pid: ticks}
        assert [serving.pid for serving in registry.list_serving()] == [here.pid]
    finally:
        here.kill()
        here.wait()
