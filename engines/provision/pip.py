"""pip in the engine's environment: what it would install, installing, and its lines as progress."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engines.provision.commands import Runner
from engines.provision.failures import explain
from engines.provision.installed import installed_version
from store.foreign_text import printable

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA, for when the configured index has only the other."""

_RAW_PROGRESS_SINCE = (24, 1)
_SHARE_BEFORE_INSTALLING = 0.8

Follow = Callable[[float | None, str], None]
"""Takes the fraction of a step (None: unknown) and what happens now."""


class Pip:
    """pip of one environment."""

    def __init__(self, environment: Path, packages: Path, runner: Runner) -> None:
        self._python = str(environment / "bin" / "python")
        self._packages = packages
        self._runner = runner

    def install(
        self,
        doing: str,
        requirements: Sequence[str],
        *,
        indexes: Sequence[str] = (),
        expected: int,
        follow: Follow,
        aside: Path | None = None,
        alone: bool = False,
    ) -> None:
        """Install requirements; raises `ProvisionFailed`.

        `indexes` are asked besides the configured ones; `expected` is about how many packages come.
        With `aside` they alone are put in this directory, and the environment stays as it is. With
        `alone` nothing comes that they require.
        """
        options = [word for index in indexes for word in ("--extra-index-url", index)]
        if alone or aside is not None:
            options += ["--no-deps"]
        if aside is not None:
            options += ["--target", str(aside)]
        self._runner.run(
            doing,
            [*self._command("install"), *self._progress_flags(), *options, *requirements],
            PipProgress(expected, follow),
        )

    def upgrade_itself(self) -> None:
        """Get a pip that tells its progress. An old one installs as well, so failing is fine."""
        if self._version() < _RAW_PROGRESS_SINCE:
            self._runner.attempt([*self._command("install"), "--upgrade", "pip"])

    def uninstall(self, names: Sequence[str]) -> None:
        """Remove packages; one that is not there is no failure."""
        self._runner.attempt([self._python, "-m", "pip", "uninstall", "--yes", *names])

    def cpu_build_indexes(self, requirement: str, report: Path) -> tuple[str, ...]:
        """The indexes needed beside the configured ones to get torch without CUDA.

        Raises `ProvisionFailed` where no index gives one.
        """
        indexes = self.find_cpu_build(requirement, report)
        if indexes is None:
            output = f"No matching distribution found for {requirement} (a build without CUDA)"
            raise explain("looking for torch", output, 1, self._runner.log)
        return indexes

    def find_cpu_build(self, requirement: str, report: Path) -> tuple[str, ...] | None:
        """The same, and None where there are builds for CUDA only.

        Empty where the configured indexes give a build without it, else PyTorch's own. Raises
        `ProvisionFailed` where the configured ones give none at all, nor PyTorch's one without.
        """
        packages, output, status = self._would_install(requirement, (), report)
        if packages is not None and not needs_cuda(packages):
            return ()
        other_packages, _, _ = self._would_install(requirement, (TORCH_CPU_INDEX,), report)
        if other_packages is not None and not needs_cuda(other_packages):
            return (TORCH_CPU_INDEX,)
        if packages is None:
            raise explain("looking for torch", output, status, self._runner.log)
        return None

    def _would_install(
        self, requirement: str, indexes: Sequence[str], report: Path
    ) -> tuple[list[tuple[str, str]] | None, str, int]:
        """(name, version) of what would be installed, or None with pip's output and status."""
        options = [word for index in indexes for word in ("--extra-index-url", index)]
        report.unlink(missing_ok=True)
        command = [*self._command("install"), "--dry-run", "--quiet", "--report", str(report)]
        output, status = self._runner.attempt([*command, *options, requirement])
        if status:
            return None, output, status
        return read_report(report.read_text("utf-8")), output, 0

    def _command(self, verb: str) -> list[str]:
        # Only wheels: building vLLM or torch from source takes hours and a compiler.
        return [self._python, "-m", "pip", verb, "--only-binary", ":all:"]

    def _progress_flags(self) -> list[str]:
        style = "raw" if self._version() >= _RAW_PROGRESS_SINCE else "off"
        return ["--progress-bar", style]

    def _version(self) -> tuple[int, int]:
        major, _, minor_and_patch = (installed_version(self._packages, "pip") or "0").partition(".")
        minor = minor_and_patch.partition(".")[0]
        return (int(major), int(minor or 0)) if major.isdecimal() else (0, 0)


def read_report(text: str) -> list[tuple[str, str]]:
    """(name, version) of each package in an installation report of pip."""
    try:
        content: Any = json.loads(text)
        return [
            (package["metadata"]["name"], package["metadata"]["version"])
            for package in content["install"]
        ]
    except (ValueError, KeyError, TypeError):
        return []


def needs_cuda(packages: Sequence[tuple[str, str]]) -> bool:
    """Whether these packages are those of a torch for CUDA."""
    return any(
        name.lower().startswith(("nvidia-", "cuda-")) or "+cu" in version
        for name, version in packages
    )


class PipProgress:
    """Turns pip's lines into a fraction and a message.

    Counts the packages collected against the number expected; installing is the last fifth, about
    which pip says nothing.
    """

    def __init__(self, expected: int, follow: Follow) -> None:
        self._expected = max(expected, 1)
        self._follow = follow
        self._collected = 0
        self._file = ""

    def __call__(self, line: str) -> None:
        """Take one line of pip's output."""
        if raw := _RAW.match(line):
            received, total = int(raw[1]), int(raw[2])
            if total and self._file:
                sizes = f"{received / 1e6:.0f} of {total / 1e6:.0f} MB"
                self._tell(f"getting {self._file}, {sizes}", received / total - 1)
        elif _COLLECTING.match(line):
            self._collected += 1
        elif file := _FILE.match(line):
            self._file = printable(file["name"], 60)
            self._tell(f"getting {self._file}")
        elif line.startswith("Installing collected packages:"):
            count = line.count(",") + 1
            self._follow(_SHARE_BEFORE_INSTALLING, f"installing {count} packages")

    def _tell(self, message: str, fraction: float = 0.0) -> None:
        share = (max(self._collected, 1) + fraction) / self._expected
        self._follow(min(share, 1.0) * _SHARE_BEFORE_INSTALLING, message)


_RAW = re.compile(r"\s*Progress (\d+) of (\d+)")
_COLLECTING = re.compile(r"\s*Collecting \S|\s*Requirement already satisfied: ")
_FILE = re.compile(
    r"\s*(?:Downloading|Using cached|Processing)\s+(?:\S*/)?(?P<name>[^\s/-]+-[^\s/-]+)-\S*\.whl"
)
