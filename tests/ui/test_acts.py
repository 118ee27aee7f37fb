"""Keys become acts, and the outcome is told: requested, applied in so many ms, or refused."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from textual.widgets import Input

from app.tui.dialogs.compare import CompareDialog
from app.tui.dialogs.edit_knob import EditKnob
from store.ledger.connection import Ledger
from store.reports.swap import ROLLED_BACK, SwapReport
from store.tables import changes, runs, swaps
from store.tables.changes import SETTLE_MS
from store.tables.engines import set_status
from store.tables.snapshots import Snapshot, save
from tests.ui.conftest import Open
from tests.ui.scripted_actions import RecordingActions, applied, loaded, refused, shown, until
from tests.ui.seed import NOW_MS, Scenario, mark_unreadable, seed
from tests.ui.test_snapshots import HOSTILE

URL = Scenario().url


async def test_p_switches_prefix_caching_and_says_how_long_it_took(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "applied in 1.8 ms" in shown(pilot, "#impact"), "it was told")
    assert actions.asked == [("set", URL, "enable_prefix_caching", True)]


async def test_a_refusal_is_told_with_its_reason(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    actions.answer = refused
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("p")
        told = "refused: the engine drains"
        await until(pilot, lambda: told in shown(pilot, "#impact"), "the reason was told")


async def test_a_change_right_after_another_has_nothing_before_it_and_says_so(
    db: Path, open_app: Open
) -> None:
    with Ledger.open(db) as ledger:
        last = changes.list_changes(ledger, 1, limit=1)[0]
        run = runs.latest_run(ledger, 1)
        assert run is not None
        again = replace(last, id="again", ts_ms=last.ts_ms + SETTLE_MS + 1_000, from_value=False)
        changes.record(ledger, run.id, replace(again, to_value=True))
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await until(pilot, lambda: "1s+" in shown(pilot, "#impact"), "the change is shown")
        assert "too little before it" in shown(pilot, "#impact")
        assert "gathering" not in shown(pilot, "#impact")


async def test_keys_answer_while_an_act_hangs(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    actions.gate = threading.Event()
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "requested" in shown(pilot, "#impact"), "it was asked")
        await pilot.press("r")
        await until(pilot, lambda: "last 1 min" in shown(pilot, "#header"), "r was answered")
        assert "requested" in shown(pilot, "#impact")
        actions.gate.set()
        await until(pilot, lambda: "applied" in shown(pilot, "#impact"), "it was done")


async def test_an_act_that_breaks_leaves_the_screen_alive(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    def broken(knob: str, value: object) -> object:
        raise RuntimeError("[red]no[/red]")

    actions.answer = broken  # type: ignore[assignment]
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "[red]no[/red]" in shown(pilot, "#impact"), "it was told")
        actions.answer = applied
        await pilot.press("p")
        await until(pilot, lambda: "applied" in shown(pilot, "#impact"), "the next act worked")


async def test_the_batch_size_is_checked_against_its_bounds(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, EditKnob), "the editor opened")
        pilot.app.screen.query_one(Input).value = "33"
        await until(pilot, lambda: "At most 32" in shown(pilot, ".said"), "33 was objected to")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, EditKnob)
        pilot.app.screen.query_one(Input).value = "8"
        await pilot.press("up", "down", "down", "enter")
        await until(pilot, lambda: bool(actions.asked), "it was asked")
    assert actions.asked == [("set", URL, "max_num_seqs", 4)]


async def test_a_knob_is_chosen_in_the_list(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    async with open_app(db).run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, EditKnob), "the editor opened")
        assert "token budget" in shown(pilot, ".said")
        await pilot.press("escape", "up", "up", "enter")
        await until(pilot, lambda: bool(actions.asked), "the switch was asked")
    assert actions.asked == [("set", URL, "enable_prefix_caching", True)]


async def test_nothing_is_asked_of_an_engine_that_is_only_observed(
    tmp_path: Path, open_app: Open, actions: RecordingActions
) -> None:
    path = tmp_path / "ledger.db"
    seed(path, HOSTILE)
    async with open_app(path).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("p", "b")
        told = "does not offer batch size: not on this machine"
        await until(pilot, lambda: told in shown(pilot, "#impact"), "the reason was told")
    assert actions.asked == []


async def test_an_engine_that_does_not_answer_is_turned_all_the_same(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    mark_unreadable(db, URL, "no whole answer within 2 s", NOW_MS - 10_000)
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "applied in" in shown(pilot, "#impact"), "it was told")
    assert actions.asked == [("set", URL, "enable_prefix_caching", True)]


async def test_nothing_is_asked_of_an_engine_that_has_ended(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    with Ledger.open(db) as ledger:
        set_status(ledger, 1, "gone", "its process 7 has ended", NOW_MS - 10_000)
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "has ended" in shown(pilot, "#impact"), "the reason was told")
    assert actions.asked == []


async def test_undo_tells_that_there_is_nothing_to_take_back(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("u")
        await until(pilot, lambda: "nothing to take back" in shown(pilot, "#impact"), "it said so")
    assert actions.asked == [("undo", URL)]


async def test_the_baseline_does_not_reach_back_over_a_change(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("m")
        await until(pilot, lambda: "marked" in shown(pilot, "#impact"), "it was marked")
    _, url, name, from_ms, to_ms = actions.asked[0]
    changed_ms = NOW_MS - 400 - 90_000 + 100
    assert (url, name, from_ms, to_ms) == (
        URL,
        "baseline-1122-160000",
        changed_ms + SETTLE_MS,
        NOW_MS - 400,
    )


async def test_a_baseline_right_after_a_change_is_refused(
    tmp_path: Path, open_app: Open, actions: RecordingActions
) -> None:
    path = tmp_path / "ledger.db"
    seed(path, Scenario(seconds=335, change_at=330))
    async with open_app(path).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("m")
        await until(pilot, lambda: "Too little" in shown(pilot, "#impact"), "it was refused")
    assert actions.asked == []


async def test_compare_asks_for_a_baseline_first(db: Path, open_app: Open) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "Press m" in shown(pilot, "#impact"), "it said so")


async def test_compare_shows_the_baseline_against_now(db: Path, open_app: Open) -> None:
    with Ledger.open(db) as ledger:
        before = NOW_MS - 400 - 90_000
        save(ledger, Snapshot("baseline-calm", 1, before - 120_000, before, before, {}))
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareDialog), "it opened")
        await until(pilot, lambda: "calm" in shown(pilot, ".table"), "it was drawn")
        table = shown(pilot, ".table")
        assert "worse" in table.splitlines()[0]
        row = next(line for line in table.splitlines() if line.startswith("cost/request"))
        assert "+6" in row and "%" in row
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, CompareDialog), "it closed")


async def test_blocks_in_which_a_swap_ran_give_no_figures(db: Path, open_app: Open) -> None:
    """They are left out, so there is nothing to set beside what was before."""
    with Ledger.open(db) as ledger:
        last = changes.list_changes(ledger, 1, limit=1)[0]
        ran = SwapReport(
            "swap", last.ts_ms + 1, "int4", "overlap", ROLLED_BACK, took_s=3600, steps=()
        )
        swaps.record(ledger, 1, ran)
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await until(pilot, lambda: "+0s" in shown(pilot, "#impact"), "they are left out")
        assert "cost/req –" in shown(pilot, "#impact")
