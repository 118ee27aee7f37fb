"""What `trimtab adopt` refuses on processes that look like vLLM, and what it tells to add there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from engines.control.inside_path import INSIDE
from tests.fakes.engine_trees import fake_engine
from tests.unit.app.cli.cli_runner import Cli

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


def test_the_plan_is_shown_and_nothing_done(cli: Cli, tmp_path: Path) -> None:
    secret = {"HF_TOKEN": "hf_abcdefghijklmnopqrstuv", "VLLM_LOGGING_LEVEL": "DEBUG"}
    with fake_engine(
        tmp_path / "e", "m", "--api-key", "sk-x", style="script", env=secret
    ) as engine:
        ran = cli("adopt", engine.url, "--dry-run", "--json", "--name", "chat")
        told = cli("adopt", engine.url, "--dry-run", "--name", "chat")
        unconfirmed = cli("adopt", engine.url)
        assert Path(f"/proc/{engine.pid}").exists()
    assert (ran.code, told.code) == (0, 0)
    plan = ran.json
    assert (plan["name"], plan["pid"], plan["restarts"]) == ("chat", engine.pid, True)
    assert plan["directory"] == str(engine.home)
    assert plan["environment"]["VLLM_LOGGING_LEVEL"] == "DEBUG"
    assert plan["environment"]["HF_TOKEN"] == "***"
    assert plan["command"][-6:-4] == ["--api-key", "***"]
    assert (plan["connections"], plan["start_s"]) == ("wait", None)
    assert "none is refused" in told.out
    assert "sk-x" not in told.out and "hf_abc" not in told.out
    assert unconfirmed.code == 2
    assert "Give --yes" in unconfirmed.err


@pytest.mark.parametrize(
    ("arguments", "env", "why"),
    [
        (("--data-parallel-rank", "1"), {}, "one rank of a data-parallel deployment"),
        (("--data_parallel_external_lb",), {}, "one rank of a data-parallel deployment"),
        (("-dpr", "1"), {}, "one node of a data-parallel deployment"),
        (("--node-rank=1", "--nnodes=2"), {}, "one node of several"),
        (("--distributed-executor-backend", "ray"), {}, "Ray runs it"),
        (("--data-parallel-backend=ray",), {}, "Ray runs it"),
        ((), {"RAY_JOB_ID": "7"}, "Ray runs it"),
    ],
)
def test_a_part_of_more_is_refused(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], why: str
) -> None:
    with fake_engine(tmp_path / "e", "m", *arguments, style="script", env=env) as engine:
        ran = cli("adopt", engine.url, "--yes")
    assert ran.code == 1
    assert why in ran.err


def test_a_program_with_vllm_inside_is_refused(cli: Cli, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", style="other") as engine:
        ran = cli("adopt", engine.url, "--yes")
    assert ran.code == 1
    assert "inside another program" in ran.err


def test_a_program_that_is_gone_is_refused(cli: Cli, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", "m", style="vllm") as engine:
        ran = cli("adopt", engine.url, "--yes")  # `vllm` is on nobody's PATH here
    assert ran.code == 1
    assert "vllm is not there any more" in ran.err


@needs_root
def test_a_container_is_told_what_to_be_given(cli: Cli, tmp_path: Path) -> None:
    with fake_engine(tmp_path / "e", "m", "--x", style="script", own_tmp=True) as engine:
        ran = cli("adopt", engine.url, "--yes")
        told = cli("adopt", engine.url, "--yes", "--json")
    assert (ran.code, told.code) == (1, 1)
    assert "runs in a container or sandbox" in ran.err
    assert f"-v {INSIDE}:{INSIDE}:ro -e PYTHONPATH={INSIDE}" in ran.err
    assert "trimtab serve m --x" in ran.err
    assert str(INSIDE) in told.json["error"]["remedy"]


@needs_root
def test_another_users_engine_is_refused_by_name(cli: Cli) -> None:
    home = Path("/tmp") / f"trimtab-adopt-{os.getpid()}"
    try:
        with fake_engine(home, "m", user="nobody", style="script") as engine:
            ran = cli("adopt", engine.url, "--yes")
    finally:
        shutil.rmtree(home)
    assert ran.code == 1
    assert "runs as nobody" in ran.err
    assert "sudo -u nobody trimtab adopt" in ran.err


def test_a_supervisors_engine_is_refused(cli: Cli, tmp_path: Path) -> None:
    """The name of a process above it is enough; no such manager is installed here."""
    manager = tmp_path / "supervise"
    with fake_engine(tmp_path / "e", "m", style="script") as engine:
        ours = Path("/proc/self/comm").read_text()
        try:
            Path("/proc/self/comm").write_text(manager.name)
            ran = cli("adopt", engine.url, "--yes")
        finally:
            Path("/proc/self/comm").write_text(ours)
    assert ran.code == 1
    assert f"supervise (PID {os.getpid()}) started PID {engine.pid}" in ran.err
    assert f"PYTHONPATH={INSIDE}" in ran.err


def test_an_engine_elsewhere_is_refused(cli: Cli) -> None:
    ran = cli("adopt", "http://127.0.0.1:1", "--yes")
    assert ran.code == 3
