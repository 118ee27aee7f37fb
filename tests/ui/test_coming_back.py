"""Opening the screen where nobody answers, because the engine is being swapped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.watching.screen import engines_to_watch
from store.errors import EngineUnreachable
from tests.addresses import nobody
from tests.ui import seed_swaps
from tests.ui.seed import Scenario, seed


@pytest.fixture
def closed() -> Iterator[str]:
    """An address at which nobody listens."""
    with nobody() as url:
        yield url


def test_an_engine_that_is_being_swapped_is_shown_though_nobody_answers(
    tmp_path: Path, closed: str
) -> None:
    path = tmp_path / "ledger.db"
    seed(path, Scenario(seconds=10, change_at=None, url=closed))
    seed_swaps.keep(path, seed_swaps.waiting(), url=closed)
    (found,) = engines_to_watch([f"{closed}/"], None, path)
    assert (found.url, found.name) == (closed, "demo")


def test_any_other_engine_must_answer(tmp_path: Path, closed: str) -> None:
    path = tmp_path / "ledger.db"
    with pytest.raises(EngineUnreachable):
        engines_to_watch([closed], None, path)
    seed(path, Scenario(seconds=10, change_at=None, url=closed))
    seed_swaps.keep(path, seed_swaps.done(), url=closed)
    seed_swaps.keep(path, seed_swaps.running(id="of another"))
    with pytest.raises(EngineUnreachable):
        engines_to_watch([closed], None, path)
