"""`trimtab show --by gpu`: the cards of this host over a window, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.text.cards import TABLE, WORDS, table_row
from app.text.clock import date_time
from app.text.durations import format_duration
from app.text.output import print_json, print_table, say
from store.errors import NotAchieved

if TYPE_CHECKING:
    from store.ledger.connection import Ledger
    from store.metrics.cards import CardAccount
    from store.metrics.prices import PriceBook
    from store.records import EngineRow


def print_cards(
    ledger: Ledger,
    engine: EngineRow | None,
    span: tuple[int, int],
    prices: PriceBook,
    *,
    as_json: bool,
) -> None:
    """All cards, or those that `engine` held; raises NotAchieved where none was recorded."""
    from store.metrics.cards import account_for_cards

    from_ms, to_ms = span
    accounts = [
        account
        for account in account_for_cards(ledger, from_ms, to_ms, prices)
        if engine is None or engine.id in account.time.held_ms
    ]
    if not accounts:
        whose = "" if engine is None else f" of {engine.name}"
        raise NotAchieved(
            f"No GPU{whose} was recorded in that window",
            "GPUs are recorded beside the engines of their host",
            "trimtab doctor says which GPUs answer here",
        )
    if as_json:
        print_json({"rows": [account.values for account in accounts]})
        return
    span_text = format_duration((to_ms - from_ms) / 1000)
    print_table(
        [(title, "left" if title in WORDS else "right") for title in TABLE],
        [table_row(account) for account in accounts],
        title=f"GPUs  {date_time(from_ms)} to {date_time(to_ms)} ({span_text})",
    )
    for account in accounts:
        for line in _remarks(account, prices):
            say(line)


def _remarks(account: CardAccount, prices: PriceBook) -> list[str]:
    """What of a card a row has no room for: that it did not answer, and that it has no price."""
    values, remarks = account.values, []
    name = f"GPU {values['gpu']}"
    if values["state"] != "ok":
        remarks.append(f"{name} is {values['state']}: {values['reason']}")
    for state in ("lost", "unknown"):
        seconds = values[f"{state}_seconds"]
        if isinstance(seconds, float) and seconds > 0:
            remarks.append(f"{name} was {state} for {format_duration(seconds)} of this window")
    if values["usd_per_hour"] is None:
        remarks.append(prices.why_unpriced(account.time.card.device))
    return remarks
