"""trimtab show"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import (
    api_key_option,
    command,
    common,
    duration_option,
    engine_option,
    gpus_option,
    open_ledger,
)
from app.text.clock import date_time, iso
from app.text.durations import format_duration
from app.text.output import print_json, print_table, say
from store.clock import now_ms
from store.errors import BadInput, NotAchieved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from store.ledger.connection import Ledger
    from store.metrics.devices import DeviceTold
    from store.metrics.prices import PriceBook
    from store.records import EngineRow
    from store.windows.window import Window


@command("show")
@click.argument("url", required=False)
@duration_option("--last", text="How far back the window reaches.", default="60s")
@duration_option("--for", "seconds", text="Record right now for this long, and show that.")
@gpus_option
@click.option("--by", type=click.Choice(["gpu"]), help="A row for each of the host's GPUs.")
@engine_option
@api_key_option
@common
def command_(
    *,
    url: str | None,
    last: float,
    seconds: float | None,
    gpus: tuple[str, ...],
    by: str | None,
    engine: str | None,
    api_key: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Print one window's metrics: throughput, latency, cache, cost, each with its unit.

    It reads what was recorded: by the screen, by `trimtab record`, or by --for right now.
    """
    from app.cli.shared.choose import ledger_engine, ledger_of
    from app.settings.load import load_settings, price_book

    if url and engine:
        raise BadInput("Give an address or --engine, not both")
    if gpus and seconds is None:
        raise BadInput("--gpus counts while it is recorded", remedy="Give it with --for")
    chosen = url or engine
    settings = load_settings()
    if seconds is None:
        to_ms = now_ms()
        from_ms = to_ms - round(last * 1000)
    else:
        chosen, from_ms, to_ms = record_now(db, chosen, seconds, api_key, gpus)
    with ledger_of(db, chosen, api_key) as ledger:
        if by == "gpu":
            from app.cli.watching.by_gpu import print_cards

            engine_row = ledger_engine(ledger, chosen, api_key) if chosen else None
            span = from_ms, to_ms
            print_cards(ledger, engine_row, span, price_book(settings), as_json=as_json)
            return
        row = ledger_engine(ledger, chosen, api_key)
        window = read_or_explain(ledger, row, from_ms, to_ms)
        _print(ledger, row, window, price_book(settings), as_json)


def record_now(
    db: Path | None,
    chosen: str | None,
    seconds: float,
    api_key: str | None,
    gpus: Sequence[str] = (),
) -> tuple[str, int, int]:
    """Record the chosen engine for `seconds`; returns its address and the window's ends."""
    from app.cli.commands import looks_like_address
    from app.cli.shared.choose import live_engine
    from app.cli.shared.recording import keys_for, record_for
    from app.settings.load import load_settings, stated_gpus

    settings = load_settings()
    stated = stated_gpus(settings, gpus)
    engine = live_engine(chosen, api_key)
    with open_ledger(db) as ledger:
        path = ledger.path
    keys = keys_for(api_key, [engine] if chosen and looks_like_address(chosen) else ())
    from_ms, to_ms = record_for(
        path, [engine], seconds, every_s=settings.every, keys=keys, stated=stated
    )
    return engine.url, from_ms, to_ms


def read_or_explain(ledger: Ledger, row: EngineRow, from_ms: int, to_ms: int) -> Window:
    """The window, or NotAchieved with the last reading's age and what to do."""
    from store.tables.runs import latest_run
    from store.windows.window import read_window

    window = read_window(ledger, row.id, from_ms, to_ms)
    if window is not None:
        return window
    run = latest_run(ledger, row.id)
    newest = None if run is None else run.last_ms
    remarks = [
        f"It is {row.state}: {row.state_reason}" if row.state != "ok" else "",
        "" if newest is None else f"The last reading is of {date_time(newest)}",
    ]
    raise NotAchieved(
        f"Nothing was recorded of {row.name} in that window",
        ". ".join(filter(None, remarks)),
        "trimtab record records in the background; --for 10s records right now",
    )


def _print(
    ledger: Ledger, row: EngineRow, window: Window, prices: PriceBook, as_json: bool
) -> None:
    from store.metrics.account import account_of
    from store.metrics.devices import uneven_busy
    from store.metrics.formats import format_metric
    from store.metrics.measure import METRICS, bounds_json, to_json

    account = account_of(ledger, window, prices)
    if as_json:
        print_json(
            {
                "engine": row.name,
                "from": iso(window.from_ms),
                "to": iso(window.to_ms),
                "runs": window.runs,
                **{name: to_json(value) for name, value in account.values.items()},
                "bounds": bounds_json(account.values),
                "reasons": account.unknown,
                "doubts": account.doubts,
                "devices": [device_json(each, prices) for each in account.devices],
                "device_imbalance": uneven_busy(account.devices) or None,
            }
        )
        return
    span = format_duration((window.to_ms - window.from_ms) / 1000)
    print_table(
        [("metric", "left"), ("value", "right")],
        [(spec.label, format_metric(spec, account.values[spec.name])) for spec in METRICS],
        title=f"{row.name}  {date_time(window.from_ms)} to {date_time(window.to_ms)} ({span})",
    )
    if window.runs > 1:
        say(_why_several_runs(ledger, window))
    for reason in dict.fromkeys(account.doubts.values()):
        say(f"In this window: {reason}")
    for reason, names in _grouped(account.unknown).items():
        say(f"{', '.join(names)} unknown: {reason}")
    for each in account.devices:
        say(f"{each.device.name}: {'; '.join(_device_words(each, prices))}")
    if uneven := uneven_busy(account.devices):
        say(uneven)


def device_json(told: DeviceTold, prices: PriceBook) -> dict[str, object]:
    """What is told of one device, as scripts read it. `share` is the engine's mean part."""
    cost = told.cost
    return {
        "kind": told.device.kind,
        "uuid": told.device.uuid,
        "name": told.device.name,
        "hours": cost.hours,
        "share": told.share,
        "utilisation": told.utilisation,
        "usd": cost.usd,
        "usd_per_hour": None if cost.price is None else cost.price.usd_per_hour,
        "price": prices.why_unpriced(told.device) if cost.price is None else cost.price.source,
        "joined": list(told.joined),
        "shared": list(told.shared),
    }


def _device_words(told: DeviceTold, prices: PriceBook) -> list[str]:
    price = told.cost.price
    rate = (
        prices.why_unpriced(told.device)
        if price is None
        else f"${price.usd_per_hour:g}/h, {price.source}"
    )
    share = (
        "" if told.share is None or told.share > 0.9995 else f"{told.share:.1%} of it is its own"
    )
    doubtful = [text for text in told.joined if not text.startswith("certain")]
    return [rate, *([share] if share else []), *told.shared, *doubtful]


def _grouped(unknown: Mapping[str, str]) -> dict[str, list[str]]:
    """Labels of metrics by the reason that they share."""
    from store.metrics.specs import SPECS

    labels: dict[str, list[str]] = {}
    for name, reason in unknown.items():
        labels.setdefault(reason, []).append(SPECS[name].label)
    return labels


def _why_several_runs(ledger: Ledger, window: Window) -> str:
    """What the window spans: lives of the engine, or one that was begun anew in the record."""
    from store.tables.runs import read_run

    runs = [read_run(ledger, run_id).info for run_id in window.run_ids]
    lives = {(run.pid, run.started_ms) for run in runs}
    if len(lives) > 1:
        return f"The engine restarted in this window: it spans {window.runs} runs"
    return (
        f"The record begins anew in this window, the engine went on: it spans {window.runs} runs "
        "(trimtab export --what events says why)"
    )
