"""An empty data directory, and an index of the tests' own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engines.provision import environment as environment_module
from engines.provision import smollm2 as smollm2_module
from engines.provision import steps as steps_module
from tests.fault.provision.stand_ins import MAKE_MODELS, MAKE_SMOLLM2, go_on


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory and no index; pip asks no configuration of this machine."""
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRIMTAB_ENGINE_KIND", "cpu")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(steps_module, "_SPACE_ALL", {"cpu": 1, "gpu": 1})
    go_on(tmp_path)
    for name, text, used_by in (
        ("MAKE_MODELS", MAKE_MODELS, steps_module),
        ("MAKE_SMOLLM2", MAKE_SMOLLM2, smollm2_module),
    ):
        script = tmp_path / f"{name.lower()}.py"
        script.write_text(text)
        monkeypatch.setattr(used_by, name, script)
        monkeypatch.setattr(environment_module, name, script)
    return tmp_path
