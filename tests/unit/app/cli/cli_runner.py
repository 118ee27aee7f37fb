"""Runs the command line in this process, in directories of its own."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.cli.exit_codes import run


class Ran(NamedTuple):
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


class Cli:
    """`cli("show", "--json")`; `cli.data` is its data directory."""

    def __init__(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.data = tmp_path / "data"
        self.db = self.data / "ledger.db"
        self._capsys = capsys
        for name, value in (("DATA_DIR", self.data), ("CONFIG_DIR", tmp_path / "config")):
            monkeypatch.setenv(f"TRIMTAB_{name}", str(value))
        monkeypatch.delenv("TRIMTAB_API_KEY", raising=False)

    def __call__(self, *words: str) -> Ran:
        self._capsys.readouterr()
        code = run(list(words))
        return Ran(code, *self._capsys.readouterr())
