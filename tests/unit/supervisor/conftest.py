"""A program in the place of vLLM, and a port for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.supervisor_client import client
from tests.addresses import held_port
from tests.unit.supervisor.stub_engine import PROGRAM


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The python of an environment whose `vllm` is `PROGRAM`."""
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRIMTAB_ENGINE_KIND", "cpu")
    monkeypatch.delenv("STUB", raising=False)
    directory = tmp_path / "environment" / "bin"
    directory.mkdir(parents=True)
    (directory / "vllm").write_text(PROGRAM)
    python = directory / "python"
    python.symlink_to(Path(os.path.realpath("/proc/self/exe")))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    yield python
    for path in (tmp_path / "data" / "serving").glob("*.json"):
        if client.status(path.stem) is not None:
            client.stop(path.stem, drain_s=0)


@pytest.fixture
def port() -> Iterator[int]:
    """One that nobody else gets, also after the engine has left it."""
    with held_port() as number:
        yield number
