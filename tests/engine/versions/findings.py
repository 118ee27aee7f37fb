"""What was found on a version: told by the checks, kept in a file, read for the table."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engines.host.cores import lacks_avx512

KEPT = Path(__file__).with_name("findings")
PROPERTY = "finding"
"""Under this name a test's report carries what it found, also from another process."""


@dataclass(frozen=True)
class Finding:
    """A cell of the table: in `section`, beside `row`, a few words, and why where that is told."""

    section: str
    row: str
    words: str
    why: str = ""


@dataclass(frozen=True)
class Teller:
    """`tell("knobs", "max_num_seqs", "live")` inside a check."""

    node: pytest.Item

    def __call__(self, section: str, row: str, words: str, why: str = "") -> None:
        """Keep a finding; it is written down as failed where the test fails afterwards."""
        self.node.user_properties.append((PROPERTY, (section, row, words, why)))


@dataclass
class Found:
    """All that is known of a version: cells by section and row, tests by name, and of when."""

    version: str
    date: str = ""
    host: str = ""
    cells: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    tests: dict[str, str] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Keep a cell; a later one replaces it."""
        cell = (finding.words, finding.why)
        self.cells.setdefault(finding.section, {})[finding.row] = cell


def this_host() -> str:
    """The machine in words, as far as what a version can do depends on it."""
    avx512 = "without AVX-512" if lacks_avx512() else "with AVX-512"
    return f"{platform.machine()} {avx512}, {os.cpu_count()} cores, no GPU"


def read_found(directory: Path, version: str) -> Found:
    """What is known of a version; nothing yet where no file tells."""
    path = directory / f"{version}.json"
    if not path.exists():
        return Found(version)
    content = json.loads(path.read_text("utf-8"))
    cells = {
        section: {row: (words, why) for row, (words, why) in rows.items()}
        for section, rows in content["cells"].items()
    }
    return Found(version, content["date"], content["host"], cells, content["tests"])


def write_found(directory: Path, found: Found) -> None:
    """Keep it."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {
        "date": found.date,
        "host": found.host,
        "cells": {section: dict(sorted(rows.items())) for section, rows in found.cells.items()},
        "tests": dict(sorted(found.tests.items())),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (directory / f"{found.version}.json").write_text(f"{text}\n", "utf-8")


def read_all(directory: Path, versions: Iterable[str] | None = None) -> list[Found]:
    """The versions that were asked for, or all, the oldest first."""
    kept = {path.stem for path in directory.glob("*.json")}
    chosen = kept if versions is None else kept & set(versions)
    return [read_found(directory, version) for version in sorted(chosen, key=_numbers)]


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def findings_of(properties: Iterable[tuple[str, object]], outcome: str) -> Iterable[Finding]:
    """The findings that a test's report carries; of a test that failed each is a failure."""
    for name, value in properties:
        if name == PROPERTY and isinstance(value, list | tuple):
            finding = Finding(*map(str, value))
            yield finding if outcome == "passed" else _failed(finding)


def _failed(finding: Finding) -> Finding:
    return Finding(finding.section, finding.row, "FAILED", "see `make versions`")


def outcomes(found: Found) -> Mapping[str, int]:
    """How many of the engine tests ended how."""
    counts: dict[str, int] = {}
    for outcome in found.tests.values():
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts
