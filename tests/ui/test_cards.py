"""The GPUs on the main screen: a line each, and fewer rows where there is no room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.text.cards import CardLine
from app.tui.drawing.cards import card_line, in_order_of_need, rest_line
from app.tui.drawing.lines import width_of
from store.device_columns import CardNow
from store.records import Device
from store.tables.cards import CardRow
from tests.ui.conftest import Open
from tests.ui.scripted_actions import loaded, shown, until
from tests.ui.seed import NOW_MS, Scenario
from tests.ui.seed_cards import BUSY, EIGHT, H100, seed_cards
from tests.ui.test_view import check_within


def line(now: CardNow, *, name: str = H100, **fields: object) -> CardLine:
    row = CardRow(1, Device("gpu", "GPU-1", name), "host", NOW_MS, now)
    return CardLine(row, **fields)  # type: ignore[arg-type]


def text(card: CardLine) -> str:
    return "".join(span.text for span in card_line(card))


def test_a_line_tells_all_that_a_card_does_and_fits_eighty_columns() -> None:
    worst = replace(BUSY, throttle=("thermal",), last_xid=119)
    card = line(worst, is_held=True, ecc_corrected=12, ecc_uncorrected=3, xids=4)
    assert (
        text(card)
        == (
            "● 0 H100 80GB HBM3  97%   71.0/79.6G  643/700W   71°C  1755MHz heat  ECC 12/3 XID 119"
        )[: len(text(card))]
    )
    assert width_of(card_line(line(replace(BUSY, throttle=("power",)), is_held=True))) <= 78


def test_what_a_card_does_not_tell_is_no_zero() -> None:
    """A GB10 tells no memory in all; under vGPU there is no power."""
    silent = CardNow("0", busy_ppm=None, memory_used_mib=2048)
    assert text(line(silent, name="NVIDIA GB10")).split() == [
        "○", "0", "GB10", "–", "2.0/–G", "–/–W", "–°C", "–MHz",
    ]  # fmt: skip


def test_a_card_that_does_not_answer_shows_no_figures() -> None:
    assert text(line(replace(BUSY, state="lost", reason="GPU is lost"))).endswith(
        "lost: GPU is lost"
    )


def test_what_ails_comes_first_then_the_engines_own() -> None:
    cards = [line(replace(BUSY, index=str(index))) for index in range(8)]
    cards[6] = replace(cards[6], xids=1)
    cards[4] = replace(cards[4], is_own=True)
    assert in_order_of_need(cards, 3) == [cards[4], cards[6]]
    assert in_order_of_need(cards, 8) == cards
    assert in_order_of_need(cards, 1) == []
    told = "".join(span.text for span in rest_line(cards, more=False))
    assert told.strip() == "8 GPUs, busy 97%, 8 idle"


SIZES = {(80, 23): 0, (80, 24): 0, (80, 36): 1, (120, 40): 3, (200, 24): 2, (200, 50): 8}


@pytest.mark.parametrize(("size", "rows"), SIZES.items())
async def test_cards_give_up_rows_in_steps(
    size: tuple[int, int], rows: int, db: Path, open_app: Open
) -> None:
    seed_cards(db, Scenario().url)
    async with open_app(db).run_test(size=size) as pilot:
        await loaded(pilot)
        await until(pilot, lambda: "GPU" in shown(pilot, "#cards"), "the cards are there")
        cards = shown(pilot, "#cards")
        assert cards.count("H100") == rows
        assert ("3 H100 80GB HBM3  lost: GPU is lost" in cards) == (rows > 0)
        more = f"{8 - rows} more GPUs" if rows else "8 GPUs, busy 48%, 4 idle, 2 not answering"
        assert (more in cards) == (rows < 8)
        for needed in ("cost/request", "Output tokens", "long prefill", "Impact", "q quit"):
            await until(pilot, lambda needed=needed: needed in shown(pilot), f"{needed} is there")
        check_within(pilot, size)


@pytest.mark.parametrize("size", [(60, 16), (80, 21), (80, 23), (120, 40)])
async def test_v_shows_every_card(size: tuple[int, int], db: Path, open_app: Open) -> None:
    seed_cards(db, Scenario().url)
    async with open_app(db).run_test(size=size) as pilot:
        await loaded(pilot)
        for _ in range(3):
            if shown(pilot, "#cards").count("H100") == len(EIGHT):
                break
            await pilot.press("v")
            await pilot.pause(0.2)
        assert shown(pilot, "#cards").count("H100") == len(EIGHT)
        check_within(pilot, size)


async def test_without_cards_there_is_no_row_for_them(db: Path, open_app: Open) -> None:
    async with open_app(db).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        assert not shown(pilot, "#cards").strip()
