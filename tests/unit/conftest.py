from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.serving import registry, stopping
from tests.fakes.launched_engine import PROGRAM
from tests.unit.app.cli.cli_runner import Cli


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The python of an environment whose `vllm` is `PROGRAM`."""
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRIMTAB_ENGINE_KIND", "cpu")
    monkeypatch.delenv("STUB", raising=False)
    (tmp_path / "bin").mkdir()
    (tmp_path / "model").mkdir()
    python = tmp_path / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    (tmp_path / "bin" / "vllm").write_text(PROGRAM)
    yield python
    for left in registry.list_serving():
        stopping.stop(left.name, drain_s=0, grace_s=0)
