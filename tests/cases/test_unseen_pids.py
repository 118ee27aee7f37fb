"""GPUs on which the driver names no process that can be seen from here: host PIDs in a container,
or a worker that Ray started. The driver is a C library (tests/fakes/nvml), all else is real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.engine_trees import FakeEngine, fake_engine
from tests.servers import REAL_PAGE
from tests.unit.devices import test_gpus

library = test_gpus.library
ROOT = Path(__file__).parents[2]
SEEN_BY_NOBODY = """count=1
0.uuid=GPU-aaaa
0.name=NVIDIA H100 80GB HBM3
0.util=90
0.memory=70000000000,85000000000
0.energy=1000000
0.power=600000
0.processes=3999991:69000000000
"""
WHY = "GPU 0 is used by processes that cannot be seen from here: "


class Host:
    """A machine with that driver, one engine and a ledger of its own."""

    def __init__(self, library: Path, home: Path, engine: FakeEngine) -> None:
        self.engine = engine
        self.home = home
        (home / "scenario").write_text(SEEN_BY_NOBODY)
        self._env = {
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": str(library),
            "FAKE_NVML": str(home / "scenario"),
            "PYTHONPATH": str(ROOT),
            "TRIMTAB_DATA_DIR": str(home / "data"),
            "TRIMTAB_CONFIG_DIR": str(home / "config"),
            "PYTHONUTF8": "1",
        }

    def trimtab(self, *arguments: str) -> tuple[str, str]:
        """What a command wrote on stdout and on stderr."""
        done = subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr[-800:]
        return done.stdout, done.stderr

    def json(self, *arguments: str) -> Any:
        out, err = self.trimtab(*arguments, "--json")
        assert out, err[-800:]
        return json.loads(out)


@pytest.fixture
def machine(library: Path, tmp_path: Path) -> Iterator[Host]:
    with fake_engine(tmp_path / "e", "m", metrics=REAL_PAGE.decode()) as engine:
        yield Host(library, tmp_path, engine)


def test_every_channel_says_why_and_how_it_can_be_said(machine: Host) -> None:
    url = machine.engine.url
    (told,) = machine.json("engines", url)
    assert told["gpus"] == []
    assert told["gpus_unknown"].startswith(WHY)
    assert WHY in machine.trimtab("engines", url)[1]

    shown = machine.json("show", url, "--for", "2s")
    assert shown["cost_usd"] is None
    assert shown["reasons"]["cost_usd"].startswith(WHY)
    assert "--gpus" in shown["reasons"]["cost_usd"] and "--pid=host" in shown["reasons"]["cost_usd"]
    assert WHY in machine.trimtab("show", url, "--last", "1h")[1]

    checks = machine.json("doctor")["checks"]
    assert any(WHY in check["what"] for check in checks)


def test_what_a_person_says_of_it_gives_the_cost(machine: Host) -> None:
    url = machine.engine.url
    shown = machine.json("show", url, "--for", "3s", "--gpus", "0")
    (device,) = shown["devices"]
    assert device["name"] == "NVIDIA H100 80GB HBM3"
    assert device["joined"] == ["stated: as you said"]
    assert device["shared"] == []
    assert 0.5 < device["share"] <= 1  # a busy machine may sample the GPU a moment later
    assert shown["cost_usd"] == pytest.approx(device["hours"] * 49.24 / 8)

    config = machine.home / "config"
    config.mkdir()
    (config / "settings.toml").write_text(f'[gpus]\n"{url}" = "GPU-aa"\n')
    (told,) = machine.json("engines", url)
    assert told["gpus"] == ["GPU 0: NVIDIA H100 80GB HBM3"]
    (hold,) = told["gpu_holds"]
    assert (hold["by"], hold["confidence"], hold["share"]) == ("setting", "stated", 1.0)
