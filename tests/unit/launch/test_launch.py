"""Starting, following and stopping engines, with a small program in the place of vLLM."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from engines.host import lifetime, procfs
from engines.host.cores import choose_cores
from engines.launch.command import (
    Vllm,
    complete_arguments,
    launch_environment,
    take_secrets,
)
from engines.launch.launch import LaunchSpec
from engines.launch.prepare import prepare
from engines.serving import registry, stopping
from engines.serving.causes import why_it_ended
from engines.serving.start_watch import Phase
from engines.serving.startup import StartFailed, wait_healthy
from store.errors import BadInput, NotAchieved
from tests.fakes.launched_engine import LINES, first_line, launch
from tests.waiting import PATIENCE_S

CPU, GPU = Vllm(("vllm",), True), Vllm(("vllm",), False)


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
        (
            "INFO: up\nFatal Python error: Segmentation fault\n",
            "Fatal Python error: Segmentation fault",
        ),
        (
            "(APIServer pid=7) INFO 11-26 10:00:00 [loggers.py:257] Engine 000: Running: 4 reqs\n",
            "its log gives no reason and ends with: Engine 000: Running: 4 reqs",
        ),
        (
            'INFO:     127.0.0.1:5 - "GET /health"',
            'its log gives no reason and ends with: INFO:     127.0.0.1:5 - "GET /health"',
        ),
        (
            "\x1b[0;36m(EngineCore_DP0 pid=8)\x1b[0;0m ERROR 11-27 11:30:48 [core.py:843] "
            "AttributeError: '_C' object has no attribute 'gptq_shuffle'\n"
            "\x1b[0;36m(APIServer pid=7)\x1b[0;0m RuntimeError: Engine core initialization failed. "
            "See root cause above. Failed core proc(s): {}\n",
            "AttributeError: '_C' object has no attribute 'gptq_shuffle'",
        ),
        (
            "\x1b[0;36m(APIServer pid=7)\x1b[0;0m \x1b[32mINFO\x1b[0m:     Application shutdown.\n",
            "its log gives no reason and ends with: INFO:     Application shutdown.",
        ),
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
