"""What is drawn while another screen lies beneath, and whether it reaches the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.tui.app import TrimtabApp
from store.metrics.prices import PriceBook
from tests.ui import seed_swaps
from tests.ui.screens.test_swap_screen import listed
from tests.ui.scripted_actions import RecordingActions, shown, until
from tests.ui.seed import NOW_MS


async def test_each_second_of_a_swap_reaches_the_terminal(
    db: Path, actions: RecordingActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the title and the steps, not only what changes beneath in the screen below."""
    begins: dict[int, int] = {}

    def keep(_: object, __: object, update: object) -> None:
        for y, x, _ in getattr(update, "spans", ()):
            begins[y] = min(x, begins.get(y, x))

    clock = [NOW_MS]
    app = TrimtabApp(db, PriceBook(), actions, clock=lambda: clock[0])
    async with app.run_test(size=(120, 40)) as pilot:
        await listed(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "handed to the supervisor" in shown(pilot, "#progress"), "told")
        seed_swaps.keep(db, seed_swaps.running())
        await until(pilot, lambda: "●" in shown(pilot, "#progress"), "it is followed")
        await pilot.pause(1.5)  # what is drawn whole for a moment is
        monkeypatch.setattr(TrimtabApp, "_display", keep)
        for _ in range(3):
            begins.clear()
            before = shown(pilot, "#progress")
            clock[0] += 1_000
            await until(pilot, lambda before=before: shown(pilot, "#progress") != before, "a tick")
            await pilot.pause(0.2)
            lines = shown(pilot, "#progress").splitlines()
            now = next(at for at, line in enumerate(lines) if line.startswith("●"))
            region = pilot.app.screen.query_one("#progress").region
            painted = {row: begins.get(row) for row in (0, region.y, region.y + now)}
            assert set(painted.values()) == {region.x}
