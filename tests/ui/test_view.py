"""What keys and sizes do to the view."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from app.tui.canvases.canvas import Canvas
from app.tui.dialogs.help import HelpDialog
from app.tui.keys.key_table import main_table, swap_table
from app.tui.keys.main_screen import MAIN_KEYS
from app.tui.widgets.knob_list import KnobList
from store.knobs.specs import KNOBS
from store.ledger.connection import Ledger
from store.records import EngineRow
from store.tables import doubts
from store.tables.engines import set_status
from store.tables.readings import append, last
from tests.ui.conftest import Open
from tests.ui.scripted_actions import engine_screen, loaded, shown, until
from tests.ui.seed import NOW_MS, Scenario, mark_unreadable, seed

OTHER = Scenario(name="spare", url="http://127.0.0.1:8001", model="Qwen3-8B", change_at=None)


async def test_pause_freezes_the_view_and_a_second_press_catches_up(
    db: Path, open_app: Open
) -> None:
    app = open_app(db)
    async with app.run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("space")
        await until(pilot, lambda: "paused" in shown(pilot, "#header"), "it was paused")
        mark_unreadable(db, Scenario().url, "connection refused", NOW_MS)

        def newest() -> EngineRow | None:
            frame = engine_screen(app).frame
            return None if frame is None else frame.engine

        await until(
            pilot, lambda: (row := newest()) is not None and row.state != "ok", "it was read"
        )
        assert "UNREADABLE" not in shown(pilot, "#banner")
        await pilot.press("space")
        await until(pilot, lambda: "UNREADABLE" in shown(pilot, "#banner"), "it caught up")
        assert "connection refused" in shown(pilot, "#banner")


async def test_a_new_reading_appears_by_itself(db: Path, open_app: Open) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        before = shown(pilot, ".tile")
        with Ledger.open(db) as ledger:
            reading = last(ledger, 1)
            assert reading is not None
            values = {**reading.values}
            values["generation_tokens"] = (values["generation_tokens"] or 0) + 50_000
            append(ledger, type(reading)(1, NOW_MS - 100, values, reading.histograms))
        await until(pilot, lambda: shown(pilot, ".tile") != before, "the tiles moved")


async def test_range_cycles(db: Path, open_app: Open) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        for label in ("last 1 min", "last 5 min", "last 15 s"):
            await pilot.press("r")
            await until(pilot, lambda label=label: label in shown(pilot, "#header"), label)


@pytest.mark.parametrize(("keys", "name"), [("2", "spare"), ("]", "spare"), ("[", "spare")])
async def test_engines_are_switched(keys: str, name: str, tmp_path: Path, open_app: Open) -> None:
    path = tmp_path / "ledger.db"
    seed(path, Scenario(seconds=40, change_at=None), OTHER)
    async with open_app(path).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        assert shown(pilot, "#header").startswith("demo 1/2 ")
        await pilot.press({"]": "right_square_bracket", "[": "left_square_bracket"}.get(keys, keys))
        await until(pilot, lambda: shown(pilot, "#header").startswith(name), "the other is shown")


async def test_the_engine_asked_for_is_shown_first(tmp_path: Path, open_app: Open) -> None:
    path = tmp_path / "ledger.db"
    seed(path, Scenario(seconds=40, change_at=None), OTHER)
    async with open_app(path, engine="spare").run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        assert shown(pilot, "#header").startswith("spare")


async def test_view_shows_the_other_charts_then_the_log(db: Path, open_app: Open) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        assert "Output tokens" in shown(pilot, ".chart-title")
        await pilot.press("v")
        await until(pilot, lambda: "Cache hit" in shown(pilot, ".chart-title"), "the others")
        await pilot.press("v")
        await until(pilot, lambda: "by ada" in shown(pilot, "#log-full"), "the log")
        await pilot.press("v")
        await until(pilot, lambda: "Output tokens" in shown(pilot, ".chart-title"), "the first")


async def test_every_key_is_in_the_help_and_in_the_palette(db: Path, open_app: Open) -> None:
    app = open_app(db)
    async with app.run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        titles = {command.title for command in app.get_system_commands(engine_screen(app))}
        own = [
            key for key in MAIN_KEYS if not key.action.startswith("app.") and "{" not in key.action
        ]
        assert {key.description for key in own} <= titles
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog), "the help opened")
        help_text = shown(pilot, ".table")
        for key, description in main_table() + swap_table():
            assert key in help_text and description in help_text
        await pilot.press("escape", "ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette), "the palette opened")


@pytest.mark.parametrize("size", [(80, 24), (80, 40), (120, 30), (120, 50), (200, 30), (200, 60)])
async def test_there_is_a_row_for_every_knob(
    size: tuple[int, int], db: Path, open_app: Open
) -> None:
    async with open_app(db).run_test(size=size) as pilot:
        await loaded(pilot)
        knobs = pilot.app.query_one(KnobList)
        assert knobs.size.height >= 1 + len(KNOBS), "#bottom in `app/tui/trimtab.tcss` is too low"
        assert knobs.region in pilot.app.query_one("#bottom").region


def test_no_key_is_bound_twice() -> None:
    keys = [key for entry in MAIN_KEYS for key in entry.keys.split(",")]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("size", [(59, 24), (80, 15), (40, 10), (10, 3), (1, 1)])
async def test_a_smaller_terminal_says_so_and_recovers(
    size: tuple[int, int], db: Path, open_app: Open
) -> None:
    async with open_app(db).run_test(size=size) as pilot:
        await loaded(pilot)
        if size[0] >= 40:
            assert "needs 60x16" in shown(pilot, "#notice")
        await pilot.resize_terminal(200, 50)
        await until(pilot, lambda: "Output tokens" in shown(pilot, ".chart-title"), "it is whole")


async def test_the_help_says_why_a_figure_is_unknown(tmp_path: Path, open_app: Open) -> None:
    path = tmp_path / "ledger.db"
    seed(path, Scenario(seconds=60, change_at=None))
    with Ledger.open(path) as ledger:
        ledger.conn.execute("UPDATE reading_rows SET kv_usage_us = NULL, kv_usage_max_ppm = NULL")
        ledger.conn.execute("DELETE FROM peaks")
        reasons = {"kv_usage": "vllm:kv_cache_usage_perc lies outside 0 to 1: left out"}
        doubts.keep(ledger, 1, reasons, 0)
    async with open_app(path).run_test(size=(100, 40)) as pilot:
        await loaded(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpDialog), "the help opened")
        told = shown(pilot, ".table")
        assert "Unknown now" in told
        assert "vllm:kv_cache_usage_perc lies outside 0 to 1: left out" in told


@pytest.mark.parametrize("size", [(80, 23), (80, 22), (60, 22), (120, 23), (200, 22)])
async def test_a_low_terminal_has_less_of_the_charts(
    size: tuple[int, int], db: Path, open_app: Open
) -> None:
    """tmux's own line takes a row of an 80x24 terminal."""
    async with open_app(db).run_test(size=size) as pilot:
        await loaded(pilot)
        everything = shown(pilot)
        for text in ("demo", "cost/request", "Output tokens", "long prefill", "Impact"):
            assert text in everything
        check_within(pilot, size)


@pytest.mark.parametrize("size", [(60, 16), (80, 21), (120, 17), (200, 16)])
async def test_a_lower_one_has_the_charts_in_the_place_of_the_knobs(
    size: tuple[int, int], db: Path, open_app: Open
) -> None:
    async with open_app(db).run_test(size=size) as pilot:
        await loaded(pilot)
        assert "long prefill" in shown(pilot)
        assert "Output tokens" not in shown(pilot)
        check_within(pilot, size)
        await pilot.press("v")
        await until(pilot, lambda: "Output tokens" in shown(pilot), "the charts are there")
        check_within(pilot, size)
        await pilot.press("v")
        await until(pilot, lambda: "Output tokens" not in shown(pilot), "the log is there")
        check_within(pilot, size)


def check_within(pilot: Pilot[None], size: tuple[int, int]) -> None:
    """Nothing is drawn beyond the terminal."""
    for canvas in engine_screen(pilot.app).query(Canvas):  # type: ignore[arg-type]
        if canvas.display and canvas.size:
            assert canvas.region.bottom <= size[1] and canvas.region.right <= size[0]


@pytest.mark.parametrize("size", [(80, 24), (80, 60), (112, 24), (120, 40), (200, 24), (300, 80)])
async def test_nothing_is_squeezed_out(size: tuple[int, int], db: Path, open_app: Open) -> None:
    async with open_app(db).run_test(size=size) as pilot:
        await loaded(pilot)
        everything = shown(pilot)
        for text in ("demo", "cost/request", "Output tokens", "long prefill", "Impact", "q quit"):
            assert text in everything
        check_within(pilot, size)


async def test_the_screen_says_what_is_wrong_with_the_ledger(
    tmp_path: Path, open_app: Open
) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("not a database at all, but long enough to have a header" * 4)
    async with open_app(path).run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        assert "LEDGER" in shown(pilot, "#banner")
        assert "Name another file with --db" in shown(pilot)
        await pilot.press("p", "b", "m", "c", "u", "space", "r")
        assert "LEDGER" in shown(pilot, "#banner")


async def test_two_engines_of_one_name_are_told_apart_by_their_address(
    tmp_path: Path, open_app: Open
) -> None:
    db = tmp_path / "l.db"
    first, second = Scenario(), Scenario(url="http://127.0.0.1:8001", change_at=None)
    seed(db, first, second)
    async with open_app(db).run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        assert f"{first.name} at 127.0.0.1:" in shown(pilot, "#header")


async def test_an_engine_that_has_ended_is_under_nobodys_control(db: Path, open_app: Open) -> None:
    with Ledger.open(db) as ledger:
        set_status(ledger, 1, "gone", "its process 7 has ended", NOW_MS - 10_000)
    async with open_app(db).run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        header = shown(pilot, "#header")
        assert "its process has ended" in header
        assert "control live" not in header and "up " not in header
