"""The swap screen: choose, confirm, follow, leave, come back, see what came of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from app.offers.offer import Expected, Files, Offer, Offers, Room, Wanted
from app.tui.dialogs.ask_why import AskWhy
from app.tui.dialogs.confirm import Confirm
from app.tui.dialogs.edit_knob import EditKnob
from app.tui.screens.main.screen import MainScreen
from app.tui.screens.swap.screen import SwapScreen
from store.errors import NotAchieved
from store.records import KnobState
from tests.ui import seed_swaps
from tests.ui.conftest import Open
from tests.ui.scripted_actions import RecordingActions, loaded, shown, until
from tests.ui.seed import KNOBS, NOW_MS, Scenario, seed

URL = Scenario().url


async def opened(pilot: Pilot[None], key: str = "s") -> None:
    """Open the swap screen and wait for what it shows."""
    await loaded(pilot)
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, SwapScreen), "the swap screen opened")
    await pilot.pause()


async def listed(pilot: Pilot[None]) -> None:
    """Open it and wait for the variants."""
    await opened(pilot)
    await until(pilot, lambda: "runs now" in shown(pilot, "#variants"), "the variants were listed")


async def test_a_variant_is_chosen_planned_and_handed_over(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        assert "nobody waits; ready and verified in 34 to 40 s (3" in shown(pilot, "#plan")
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Swap to kv_cache_dtype=fp8 now?" in shown(pilot), "it asked")
        assert actions.asked == []
        assert "new connections wait; no earlier start to learn from" in shown(pilot, "#plan")
        await pilot.press("s", "s", "k", "w")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskWhy), "it asked why")
        pilot.app.screen.query_one(Input).value = "more room"
        await pilot.press("enter")
        await until(pilot, lambda: "more room" in shown(pilot, "#plan"), "the reason was taken")
        assert "kept even if it fails" in shown(pilot, "#plan")
        await pilot.press("enter")
        await until(pilot, lambda: bool(actions.asked), "it was handed over")
        await until(pilot, lambda: "handed to the supervisor" in shown(pilot, "#progress"), "told")
        seed_swaps.keep(db, seed_swaps.running(variant="kv_cache_dtype=fp8"))
        await until(pilot, lambda: "loading weights" in shown(pilot, "#progress"), "it is followed")
    wanted = Wanted(seed_swaps.FP8, "stop-start", keep=True, why="more room")
    assert actions.asked == [("swap", URL, wanted)]


async def test_escape_leads_from_the_plan_to_the_list_and_out(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "swap now" in shown(pilot, "#swap-hints"), "the plan asks")
        await pilot.press("escape")
        await until(pilot, lambda: "plan it" in shown(pilot, "#swap-hints"), "the list is back")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, MainScreen), "it was left")
    assert actions.asked == []


async def test_a_swap_goes_on_when_its_screen_is_left_and_is_seen_again(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    seed_swaps.keep(db, seed_swaps.running())
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        banner = shown(pilot, "#banner")
        assert "→ llama-70b-awq   start: loading weights   34 s   7 to 12 s left" in banner
        await opened(pilot)
        await until(pilot, lambda: "loading weights" in shown(pilot, "#progress"), "it is shown")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, MainScreen), "it was left")
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        progress = shown(pilot, "#progress")
        assert "7 to 12 s left, as in 3 earlier starts" in progress
        assert "nobody waits  the old engine serves" in progress
        assert "asked for by ada at 15:59:26: half the memory" in progress
    assert actions.asked == []


async def test_a_swap_that_another_began_appears_and_ends_in_its_outcome(
    db: Path, open_app: Open
) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        seed_swaps.keep(db, seed_swaps.waiting())
        await until(
            pilot, lambda: "new connections wait 22 s" in shown(pilot, "#progress"), "it appeared"
        )
        assert "3 s left, as in 1 earlier start" in shown(pilot, "#progress")
        seed_swaps.keep(db, seed_swaps.rolled_back(id="swap-2", ts_ms=NOW_MS - 34_000))
        await until(pilot, lambda: "rolled back" in shown(pilot, "#outcome"), "its end was told")
        assert "new connections waited 68.4 s" in shown(pilot, "#outcome")


async def test_without_earlier_starts_no_time_is_guessed(db: Path, open_app: Open) -> None:
    seed_swaps.keep(db, seed_swaps.running(), learned=False)
    async with open_app(db).run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "no earlier start to learn from" in shown(pilot, "#progress")
        assert "━" not in shown(pilot, "#progress")


async def test_the_last_outcomes_can_be_looked_at_again(db: Path, open_app: Open) -> None:
    seed_swaps.keep(db, seed_swaps.done(), seed_swaps.rolled_back())
    async with open_app(db).run_test(size=(120, 40)) as pilot:
        await listed(pilot)
        await pilot.press("o")
        await until(pilot, lambda: "PASS" in shown(pilot, "#outcome"), "the last one")
        outcome = shown(pilot, "#outcome")
        assert "done   overlap in 51.2 s" in outcome and "nobody waited" in outcome
        assert "131 GiB" in outcome and "37 GiB" in outcome and "8 → 7 of 8" in outcome
        assert "[−0.0342, −0.0221]" in outcome and "at least −0.05" in outcome
        await pilot.press("left")
        await until(pilot, lambda: "FAIL" in shown(pilot, "#outcome"), "the one before")
        assert "✗  verify" in shown(pilot, "#outcome")
        await pilot.press("right", "right")
        await until(pilot, lambda: "PASS" in shown(pilot, "#outcome"), "the last one again")


async def test_missing_figures_are_dashes(db: Path, open_app: Open) -> None:
    quality = dict.fromkeys(seed_swaps.PASS) | {"outcome": "abstain", "reasons": ["no figures"]}
    evidence = {"steps": "none", "evidence": {"old": {}, "new": None, "quality": quality}}
    seed_swaps.keep(db, seed_swaps.done(evidence=evidence, took_s=None, waited_s=None))
    async with open_app(db).run_test(size=(120, 40)) as pilot:
        await listed(pilot)
        await pilot.press("o")
        await until(pilot, lambda: "ABSTAIN" in shown(pilot, "#outcome"), "it was shown")
        outcome = shown(pilot, "#outcome")
    assert "overlap in –" in outcome and "waited –" in outcome and "no figures" in outcome
    for label in ("weights", "dtype", "kernels", "log-likelihood", "KL", "exact answers"):
        row = next(line for line in outcome.splitlines() if line.startswith(label))
        assert "–" in row and "0" not in row and "None" not in row


async def test_what_was_kept_though_it_failed_says_so(db: Path, open_app: Open) -> None:
    failed = seed_swaps.rolled_back().details_to_json()
    seed_swaps.keep(db, seed_swaps.done(evidence=failed))
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("o")
        told = "taken all the same: its quality fails"
        await until(pilot, lambda: told in shown(pilot, "#outcome"), "it was told")


async def test_a_swap_that_never_verified_shows_how_far_it_came(db: Path, open_app: Open) -> None:
    told = seed_swaps.steps(*seed_swaps.BEGIN[:2], (8.0, "rolled back", "vLLM rejects it"))
    row = seed_swaps.done(
        outcome="rolled back", reason="vLLM rejects the arguments", evidence={"steps": told}
    )
    seed_swaps.keep(db, row)
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("o")
        await until(pilot, lambda: "✗  check" in shown(pilot, "#outcome"), "the failed step")
        assert "vLLM rejects the arguments" in shown(pilot, "#outcome")
        assert "go back" not in shown(pilot, "#swap-hints")


async def test_a_refused_order_is_told_in_its_plan(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    actions.refusal = NotAchieved("the engine does not serve, or is being swapped")
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("enter", "enter")
        told = "does not serve, or is being swapped"
        await until(pilot, lambda: told in shown(pilot, "#plan"), "the reason was told")
        assert "Swap to llama-70b-awq now?" in shown(pilot, "#plan")


async def test_a_refusal_that_comes_late_is_told_where_the_operator_went(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    gate = threading.Event()
    actions.refusal = NotAchieved("it does not serve")
    actions.swap_gate = gate
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: bool(actions.asked), "it was asked")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, MainScreen), "it was left")
        gate.set()
        await until(pilot, lambda: "it does not serve" in shown(pilot, "#impact"), "it was told")


async def test_an_engine_without_a_supervisor_says_what_to_do(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    actions.offered = Offers(
        seed_swaps.RUNNING, seed_swaps.OFFERS.found, "no supervisor: `trimtab adopt` gives it one"
    )
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        assert "`trimtab adopt` gives it one" in shown(pilot, "#plan")
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert "now?" not in shown(pilot, "#plan")
    assert actions.asked == []


async def test_variants_that_cannot_be_told_say_why(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    actions.offered = NotAchieved("demo cannot be swapped: not on this machine")
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        told = "demo cannot be swapped: not on this machine"
        await until(pilot, lambda: told in shown(pilot, "#plan"), "the reason was told")
        await pilot.press("enter", "s", "x", "o", "u", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, MainScreen), "it was left")


async def test_leaving_while_the_variants_are_weighed_is_harmless(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    actions.gate = threading.Event()
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert "reading the files" in shown(pilot, "#variants")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, MainScreen), "it was left")
        actions.gate.set()
        await until(pilot, lambda: actions.offers_told == 1, "the answer came late")
        await pilot.press("s")
        await until(pilot, lambda: "runs now" in shown(pilot, "#variants"), "it opens again")


async def test_names_and_reasons_from_outside_are_only_text(
    tmp_path: Path, open_app: Open, actions: RecordingActions
) -> None:
    evil = "[bold red]x[/]\x1b[2J\n\u202e" + "y" * 300
    room = Room("GPU 0", None, None, None, None, "unknown", evil)
    offer = Offer(evil, "settings", evil, Files(evil, 1, evil, evil), room, "stop-start", (evil,))
    actions.offered = Offers(Files(evil, None, evil, evil), (offer,), evil)
    old = {"model": evil, "kernels": [evil], "quantisation": evil, "limits": [[evil, evil]]}
    quality = seed_swaps.FAIL | {"reasons": [evil]}
    path = tmp_path / "ledger.db"
    seed(path, Scenario(seconds=40, change_at=None))
    row = seed_swaps.done(
        variant=evil,
        who=evil,
        why=evil,
        reason=evil,
        evidence={
            "steps": seed_swaps.steps((0.0, evil, evil)),
            "evidence": {"old": old, "new": old, "quality": quality, "refused": evil},
        },
    )
    seed_swaps.keep(path, row)
    async with open_app(path).run_test(size=(200, 50)) as pilot:
        await listed(pilot)
        texts = shown(pilot)
        await pilot.press("o")
        await until(pilot, lambda: "FAIL" in shown(pilot, "#outcome"), "the outcome")
        texts += shown(pilot)
    assert "[bold red]x[/]" in texts
    assert "\x1b" not in texts and "\u202e" not in texts


async def test_x_calls_a_swap_off_after_a_question(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    seed_swaps.keep(db, seed_swaps.running())
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm), "it asked")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, SwapScreen), "no is no")
        assert actions.asked == []
        await pilot.press("x", "y")
        await until(pilot, lambda: "called off" in shown(pilot, "#swap-told"), "it was told")
    assert actions.asked == [("call off", URL)]


async def test_undo_offers_to_call_a_running_swap_off(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    seed_swaps.keep(db, seed_swaps.running())
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press("u")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm), "it asked")
    assert actions.asked == []


async def test_undo_of_a_swap_opens_the_plan_of_going_back(
    db: Path, open_app: Open, actions: RecordingActions
) -> None:
    actions.swapped = True
    actions.offered = Offers(seed_swaps.RUNNING, (seed_swaps.BACK, *seed_swaps.OFFERS.found))
    seed_swaps.keep(db, seed_swaps.done())
    seed_swaps.keep_change(db, seed_swaps.done())
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await opened(pilot, "u")
        await until(pilot, lambda: "Swap to as started now?" in shown(pilot, "#plan"), "it asked")
        assert "back: as started" in shown(pilot, "#variants")
        assert actions.asked == [("undo", URL)]
        await pilot.press("k", "enter")
        await until(pilot, lambda: len(actions.asked) == 2, "it was handed over")
    assert actions.asked[1] == ("swap", URL, Wanted(seed_swaps.BACK))


async def test_a_knob_that_needs_a_swap_leads_to_it(tmp_path: Path, open_app: Open) -> None:
    path = tmp_path / "ledger.db"
    fixed = KnobState("kv_cache_dtype", "swap", None, None, None, None, "fixed at the start")
    seed(path, Scenario(seconds=40, change_at=None, knobs=(*KNOBS, fixed)))
    async with open_app(path).run_test(size=(120, 40)) as pilot:
        await loaded(pilot)
        await pilot.press("down", "down", "down", "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, SwapScreen), "it led there")
        assert not isinstance(pilot.app.screen, EditKnob)


async def test_a_finished_swap_is_a_mark_and_an_impact_in_seconds(db: Path, open_app: Open) -> None:
    swap = seed_swaps.done()
    seed_swaps.keep(db, swap)
    seed_swaps.keep_change(db, swap)
    async with open_app(db).run_test(size=(200, 50)) as pilot:
        await loaded(pilot)
        assert "variant as started → llama-70b-awq  in 51.2 s" in shown(pilot, "#impact")
        assert "C llama-70b-awq" in shown(pilot)


async def test_a_swap_that_is_silent_for_long_does_not_hold_the_screen(
    db: Path, open_app: Open
) -> None:
    seed_swaps.keep(db, seed_swaps.running(ts_ms=NOW_MS - 3_600_000))
    async with open_app(db).run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        assert "its supervisor may be gone" in shown(pilot, "#progress")
        await pilot.press("n")
        await until(pilot, lambda: "runs now" in shown(pilot, "#variants"), "the variants")


@pytest.mark.parametrize("size", [(59, 24), (40, 10), (1, 1)])
async def test_a_smaller_terminal_says_so_and_recovers(
    size: tuple[int, int], db: Path, open_app: Open
) -> None:
    async with open_app(db).run_test(size=size) as pilot:
        await opened(pilot)
        if size[0] >= 40:
            assert "needs 60x16" in shown(pilot, "#notice")
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "runs now" in shown(pilot, "#variants"), "it is whole")


@pytest.mark.parametrize("size", [(80, 23), (60, 16)])
async def test_a_low_terminal_has_the_variants_and_the_plan(
    size: tuple[int, int], db: Path, open_app: Open
) -> None:
    async with open_app(db).run_test(size=size) as pilot:
        await opened(pilot)
        await listed(pilot)
        for text in ("runs now", "llama-70b-awq", "fits beside"):
            assert text in shown(pilot, "#variants")
        assert shown(pilot, "#plan").strip()


def test_an_offer_knows_what_was_learned_for_each_strategy() -> None:
    assert Expected().start("overlap") is None
    beside, alone = seed_swaps.OFFERS.found[0].expected.beside, object()
    assert Expected(beside).start("overlap") is beside
    assert Expected(alone=alone).start("stop-start") is alone  # type: ignore[arg-type]
