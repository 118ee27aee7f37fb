"""The command line in processes of its own, as a person or a script uses it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engine.conftest import LiveEngine

_NOT_OF_ONE_ENGINE = ("compare", "snapshots")


@dataclass
class Trimtab:
    """`trimtab("set", "max_num_seqs=8")` in a process of its own, on one engine and ledger.

    `printed` is what the last one wrote for people.
    """

    engine: LiveEngine
    db: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    printed: str = ""

    def __call__(self, command: str, *words: str, code: int = 0) -> Any:
        """Run a command with --json; its JSON. `code` is the exit code it must have."""
        process = self.begin(command, *words)
        told, self.printed = process.communicate(timeout=400)
        assert process.returncode == code, (told, self.printed)
        return json.loads(told)

    def begin(self, command: str, *words: str) -> subprocess.Popen[str]:
        """Start a command with --json, without waiting for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "app", *self.words(command, *words), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | self.environ,
        )

    def words(self, command: str, *words: str) -> list[str]:
        """A command on this engine and ledger."""
        chosen = [] if command in _NOT_OF_ONE_ENGINE else ["--engine", self.engine.url]
        if command == "record":
            chosen = [self.engine.url]
        return [command, *words, *chosen, "--db", str(self.db)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the ledger, read as anybody would."""
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as connection:
            return connection.execute(query).fetchall()
