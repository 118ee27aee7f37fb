from __future__ import annotations

import pytest

from engines.recording.judging.lives import is_same_life, may_be_same_life
from store.records import RunInfo


def life(pid: int | None, started_ms: int | None) -> RunInfo:
    return RunInfo(url="http://localhost:8000", name="chat", pid=pid, started_ms=started_ms)


@pytest.mark.parametrize(
    ("one", "other", "may_be", "surely"),
    [
        ((7, 1_000_000), (7, 1_001_500), True, True),  # told two ways
        ((7, 1_000_000), (7, 1_010_000), False, False),  # the PID was used again
        ((7, None), (7, 1_000_000), True, True),
        ((7, 1_000_000), (8, 1_000_000), False, False),
        ((None, 1_000_000), (7, 1_000_000), True, False),  # one was read from afar
        ((None, None), (None, 1_000_000), True, True),
    ],
)
def test_lives_are_told_apart(
    one: tuple[int | None, int | None],
    other: tuple[int | None, int | None],
    may_be: bool,
    surely: bool,
) -> None:
    assert may_be_same_life(life(*one), life(*other)) is may_be
    assert is_same_life(life(*one), life(*other)) is surely
