"""Programs in the place of vLLM that somebody started without trimtab."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.adoption.plan import AdoptionPlan, plan_adoption
from engines.engine_info import EngineInfo
from tests.waiting import PATIENCE_S

PROGRAM = Path(__file__).with_name("program.py")
PAGE = Path(__file__).parents[2] / "fixtures" / "metrics" / "vllm-0.32.0.txt"
ODD = b"caf\xe9"


@dataclass
class ByHand:
    """A program that somebody started without trimtab."""

    pid: int
    url: str
    home: Path

    def plan(self, name: str) -> AdoptionPlan:
        return plan_adoption(EngineInfo(self.url, "stub", model="m", pid=self.pid), name, None)


def answers(url: str) -> bool:
    try:
        ask(url)
    except OSError:
        return False
    return True


def ask(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as reply:
        told: dict[str, Any] = json.load(reply)
        return told
