"""Sound answers of each protocol: the plugin's from its real desk, the others as they look."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

from engines.inside.trimtab_inside.live_knobs.board import Board
from engines.inside.trimtab_inside.live_knobs.desk import KnobDesk
from engines.inside.trimtab_inside.live_knobs.identity import identify
from engines.inside.trimtab_inside.live_knobs.offered_knobs import probe
from engines.serving.stopping import Stopped
from engines.supervisor_client.adoption_report import AdoptionReport
from engines.supervisor_client.status import SupervisorStatus
from store.reports.engine_evidence import EngineEvidence
from store.reports.quality import QualityVerdict
from store.reports.step_line import StepLine
from store.reports.swap import StartReport, SwapEvidence, SwapReport
from tests.fuzz.mutations import Tree
from tests.unit.inside.inside_standins import Scheduler32

SWAP_ID = "swap-1"

Answers = Callable[[bytes, Random], Tree]
"""Gives the sound answer to a request, as a tree."""


def answers_of(protocol: str) -> Answers:
    """How one that keeps to this protocol answers."""
    if protocol == "plugin":
        return _plugin()
    return _front if protocol == "front" else _supervisor


def _plugin() -> Answers:
    scheduler = Scheduler32(32)
    board = Board(probe(scheduler), threading.RLock())
    desk = KnobDesk(board, identify(scheduler))

    def answer(request: bytes, chance: Random) -> Tree:
        board.tick()
        written, _ = desk.answer(request, time.monotonic())
        told: Tree = json.loads(written)
        return told

    return answer


def _front(request: bytes, chance: Random) -> Tree:
    state = {"accepting": chance.random() < 0.5, "connections": 3, "in_flight": 1}
    identity = {"protocol": 1, "engine": "front", "pid": 7, "http": "/tmp/7-http.sock"}
    return {"v": 1, "ok": True, **identity, **state}


def _supervisor(request: bytes, chance: Random) -> Tree:
    status = SupervisorStatus(
        state=chance.choice(("serving", "swapping", "stopping", "stopped")),
        supervisor=7,
        pid=8,
        variant="start",
        before=chance.choice((None, "int4")),
        launch_id="0123456789abcdef",
        swap=chance.choice((None, _swap(chance), _swap(chance))),
        adoption=chance.choice((None, AdoptionReport("a", "http://h:1", "beside", steps=_LINES))),
        stopped=chance.choice((None, None, Stopped("a", 8, True, (9,), 1.5))),
    )
    return {"v": 1, "ok": True, "engine": "supervisor", **_plain(status.to_json())}


def _swap(chance: Random) -> SwapReport:
    quality = QualityVerdict("pass", ("it is close",), "a", "b", -1.0, -1.1, loglik_interval=(0, 1))
    engine = EngineEvidence("m", 1_000, "awq", kernels=("marlin",), limits=(("max-num-seqs", "8"),))
    return SwapReport(
        SWAP_ID,
        1_800_000_000_000,
        "int4",
        "overlap",
        chance.choice(("running", "done", "rolled back")),
        took_s=chance.choice((None, 12.5)),
        waited_s=0.0,
        steps=_LINES,
        start=StartReport("m", "serve m", True, 1.0, {"loading": 2.0}),
        evidence=SwapEvidence(engine, engine, quality),
    )


def _plain(values: Any) -> Any:
    """As JSON gives them back."""
    return json.loads(json.dumps(values))


_LINES = (StepLine(0.1, "plan", "overlap"), StepLine(2.0, "start", "loading"))
