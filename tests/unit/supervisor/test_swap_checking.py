"""What can change nothing is refused before anything starts; what may change something is not."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engines.host import lifetime
from engines.launch.launch import Launch
from engines.serving.started import Started
from engines.supervisor.swap.checking import check_arguments, differs
from engines.supervisor.swap.evidence import unchanged
from store.errors import NotAchieved
from store.reports.engine_evidence import EngineEvidence
from tests.unit.supervisor.test_memory import launch

SAME = {"same": True, "idle_quantisation": None}
OTHER = {"same": False, "idle_quantisation": None}
SHOWN = EngineEvidence("tiny", 1000, kernels=("CPUKernel",))


@pytest.fixture
def engine() -> Started:
    """This process in the place of the engine that runs."""
    pid = os.getpid()
    return Started("chat", pid, lifetime.start_ticks(pid) or 0, "http://localhost:1", Path("x"))


@pytest.fixture
def current(tmp_path: Path) -> Launch:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    os.utime(model / "config.json", (1, 1))
    started = launch()
    command = (*started.command[: started.serve_at + 1], str(model))
    return replace(started, command=command, directory=str(tmp_path))


def test_the_same_configuration_is_refused(current: Launch, engine: Started) -> None:
    with pytest.raises(NotAchieved, match="it would change nothing") as raised:
        differs(SAME, current, current, engine)
    assert "the same configuration" in raised.value.meaning


def test_a_quantisation_without_layers_is_refused(current: Launch, engine: Started) -> None:
    with pytest.raises(NotAchieved, match="it would change nothing") as raised:
        differs({"same": False, "idle_quantisation": "int8"}, current, current, engine)
    assert raised.value.meaning == (
        "--quantization int8 quantises experts only, and the model has none"
    )


def test_another_configuration_is_another_engine(current: Launch, engine: Started) -> None:
    assert differs(OTHER, current, current, engine) is True


def test_variables_may_change_anything(current: Launch, engine: Started) -> None:
    target = replace(current, environ={**current.environ, "VLLM_USE_V2": "1"})
    assert differs(SAME, target, current, engine) is True


def test_files_that_were_replaced_are_another_model(current: Launch, engine: Started) -> None:
    (Path(current.arguments[0]) / "config.json").touch()
    assert differs(SAME, current, current, engine) is True


@pytest.mark.parametrize("answer", [{}, {"same": None}, {"same": "yes"}])
def test_what_vllm_does_not_tell_is_unknown(
    answer: dict[str, object], current: Launch, engine: Started
) -> None:
    assert differs(answer, current, current, engine) is None


def test_what_is_seen_decides_only_where_vllm_told_nothing() -> None:
    assert unchanged(SHOWN, SHOWN, differs=None).endswith("it changed nothing")
    assert unchanged(SHOWN, SHOWN, differs=True) == ""


def test_no_layer_quantised_is_no_change_whatever_the_configuration() -> None:
    new = replace(SHOWN, asked_quantisation="int8", layers_quantised=0)
    assert "quantised 0 layers" in unchanged(SHOWN, new, differs=True)


@pytest.fixture
def slow(current: Launch, tmp_path: Path) -> Launch:
    """A launch whose Python takes a while over any script, and answers nothing."""
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nsleep 1\ncat > /dev/null\n")
    python.chmod(0o755)
    command = (str(python), *current.command[1:])
    return replace(current, command=command, environ={"PATH": os.environ["PATH"]})


def test_a_check_may_take_its_time(slow: Launch) -> None:
    turns: list[int] = []
    assert check_arguments(slow, slow, lambda: turns.append(1)) == {}
    assert len(turns) > 1


def test_a_check_that_nobody_waits_for_ends(slow: Launch) -> None:
    def call_off() -> None:
        raise NotAchieved("it was called off")

    began = time.monotonic()
    with pytest.raises(NotAchieved, match="called off"):
        check_arguments(slow, slow, call_off)
    assert time.monotonic() - began < 0.9
