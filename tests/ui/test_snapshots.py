"""Pictures of the screen. `pytest tests/ui --snapshot-update` after looking at the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from app.tui.dialogs.help import HelpDialog
from store.ledger.connection import Ledger
from store.reports.swap import SwapReport
from tests.ui import seed_swaps
from tests.ui.conftest import Open
from tests.ui.scripted_actions import loaded, shown, until
from tests.ui.seed import IDLE, NOW_MS, Scenario, mark_unreadable, seed

SIZES = [(80, 24), (120, 40), (200, 50)]
HOSTILE = Scenario(
    name="[bold red]x[/]",
    model="/models/[link=evil]deep/path\x1b[31m/" + "m" * 90,
    control="observe",
    reason="not on this machine",
    knobs=(),
    change_at=None,
    recorded=False,
)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_engine_after_a_change(
    size: tuple[int, int], db: Path, open_app: Open, snap_compare: Any
) -> None:
    assert snap_compare(open_app(db), terminal_size=size, run_before=loaded)


def test_the_other_charts_and_the_log_at_80x24(db: Path, open_app: Open, snap_compare: Any) -> None:
    async def see(pilot: Pilot[None]) -> None:
        await loaded(pilot)
        before = shown(pilot)
        await pilot.press("v")
        await until(pilot, lambda: shown(pilot) != before, "other charts")

    assert snap_compare(open_app(db), terminal_size=(80, 24), run_before=see)


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
def test_an_unreadable_engine(
    size: tuple[int, int], db: Path, open_app: Open, snap_compare: Any
) -> None:
    now_ms = NOW_MS + 42_000
    mark_unreadable(db, Scenario().url, "timed out after 2 s", NOW_MS)
    assert snap_compare(open_app(db, now_ms=now_ms), terminal_size=size, run_before=loaded)


def test_no_traffic(tmp_path: Path, open_app: Open, snap_compare: Any) -> None:
    path = tmp_path / "ledger.db"
    seed(path, Scenario(load=IDLE, change_at=None))
    assert snap_compare(open_app(path), terminal_size=(80, 24), run_before=loaded)


def test_no_engine_yet(tmp_path: Path, open_app: Open, snap_compare: Any) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    assert snap_compare(open_app(path), terminal_size=(80, 24), run_before=loaded)


def test_a_hostile_name_seen_from_afar(tmp_path: Path, open_app: Open, snap_compare: Any) -> None:
    path = tmp_path / "ledger.db"
    seed(path, HOSTILE)
    assert snap_compare(open_app(path), terminal_size=(80, 24), run_before=loaded)


def test_a_light_theme(db: Path, open_app: Open, snap_compare: Any) -> None:
    async def dress(pilot: Pilot[None]) -> None:
        await loaded(pilot)
        pilot.app.theme = "textual-light"
        await pilot.pause()

    assert snap_compare(open_app(db), terminal_size=(120, 40), run_before=dress)


def test_the_help(db: Path, open_app: Open, snap_compare: Any) -> None:
    async def ask(pilot: Pilot[None]) -> None:
        await loaded(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpDialog), "the help")

    assert snap_compare(open_app(db), terminal_size=(120, 40), run_before=ask)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_knob_is_edited(
    size: tuple[int, int], db: Path, open_app: Open, snap_compare: Any
) -> None:
    async def ask(pilot: Pilot[None]) -> None:
        await loaded(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "set now" in shown(pilot, ".said"), "the editor opened")
        await until(pilot, lambda: isinstance(pilot.app.focused, Input), "it takes keys")
        pilot.app.screen.query_one(Input).cursor_blink = False  # a slow machine sees it out
        await pilot.pause()

    assert snap_compare(open_app(db), terminal_size=size, run_before=ask)


SWAPS: dict[str, tuple[list[SwapReport], list[tuple[str, str]]]] = {
    "variants": ([seed_swaps.done(), seed_swaps.rolled_back()], [("s", "runs now")]),
    "plan": ([seed_swaps.done()], [("s", "runs now"), ("down", "KV cache in"), ("enter", "now?")]),
    "overlap": ([seed_swaps.running()], [("s", "nobody waits")]),
    "stop-start": ([seed_swaps.waiting()], [("s", "in the queue")]),
    "done": ([seed_swaps.done()], [("s", "runs now"), ("o", "PASS")]),
    "rolled-back": ([seed_swaps.rolled_back()], [("s", "runs now"), ("o", "FAIL")]),
    "banner": ([seed_swaps.running()], []),
    "call-off": ([seed_swaps.running()], [("u", "Call the swap off?")]),
}
"""Swaps in the ledger, and the keys that lead to what is to be seen, each with what it shows."""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", SWAPS)
def test_a_swap(
    state: str, size: tuple[int, int], db: Path, open_app: Open, snap_compare: Any
) -> None:
    rows, keys = SWAPS[state]
    seed_swaps.keep(db, *rows)
    if rows[0].outcome == "done":
        seed_swaps.keep_change(db, rows[0])

    async def see(pilot: Pilot[None]) -> None:
        await loaded(pilot)
        for key, text in keys:
            await pilot.press(key)
            await until(pilot, lambda text=text: text in shown(pilot), text)

    assert snap_compare(open_app(db), terminal_size=size, run_before=see)
