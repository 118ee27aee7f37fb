"""The plan of a swap back shows what the supervisor would start, whatever swaps came before."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.offers import weigher
from app.offers.weigher import Weigher
from engines.engine_info import EngineInfo
from engines.supervisor_client.status import SupervisorStatus

RUNNING = EngineInfo(
    "http://127.0.0.1:1", "chat", arguments=("vllm", "serve", "b-model"), supervisor="chat"
)


def before(monkeypatch: pytest.MonkeyPatch, *command: str) -> Weigher:
    told = SupervisorStatus("serving", 1, before="as started", before_command=command)
    assert SupervisorStatus.from_json(told.to_json()) == told
    monkeypatch.setattr(weigher, "status", lambda _: told)
    return Weigher(RUNNING, None)


def test_it_is_the_command_that_served_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (str(tmp_path / "a-model"), "--max-num-seqs", "4")
    offer = before(monkeypatch, *command).weigh_before()
    assert offer is not None
    assert (offer.files.model, offer.command) == (command[0], command)
    assert offer.back and offer.variant is None


def test_a_supervisor_that_does_not_tell_leaves_it_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offer = before(monkeypatch).weigh_before()
    assert offer is not None
    assert offer.room.verdict == "unknown" and offer.back
