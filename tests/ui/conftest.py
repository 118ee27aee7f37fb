"""A ledger and a screen over it; clocks frozen, time zone UTC."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from app.tui.app import TrimtabApp
from store.metrics.prices import PriceBook
from tests.ui.scripted_actions import RecordingActions
from tests.ui.seed import NOW_MS, Scenario, seed

Open = Callable[..., TrimtabApp]
Waiter = Callable[[], Awaitable[None]]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clock times on the screen are local: make local UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A ledger with one engine and two changes."""
    path = tmp_path / "ledger.db"
    seed(path, Scenario())
    return path


@pytest.fixture
def actions() -> RecordingActions:
    """The edge: acts are kept, not done."""
    return RecordingActions()


@pytest.fixture
def open_app(actions: RecordingActions) -> Open:
    """A screen over a ledger at the frozen time."""

    def make(path: Path, *, now_ms: int = NOW_MS, engine: str | None = None) -> TrimtabApp:
        return TrimtabApp(path, PriceBook(), actions, engine=engine, clock=lambda: now_ms)

    return make
