"""trimtab export"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import command, common, duration_option, engine_option, read_ledger
from app.text.output import LONGEST_LINE
from store.clock import now_ms
from store.foreign_text import for_spreadsheet, printable
from store.ledger.export import TABLES, columns, rows

if TYPE_CHECKING:
    from store.ledger.connection import Ledger
    from store.records import EngineRow

Rows = Iterable[Mapping[str, object]]
PROMETHEUS_SPAN_S = 60.0


@command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "prometheus"]),
    default="csv",
    show_default=True,
    help="Comma-separated values, a JSON object a line, or Prometheus text of the last minute.",
)
@click.option(
    "--what", type=click.Choice(TABLES), default="readings", show_default=True, help="Which rows."
)
@duration_option("--last", text="Only what is not older than this.")
@engine_option
@common
def command_(
    *,
    form: str,
    what: str,
    last: float | None,
    engine: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Write the ledger as CSV, JSON lines or Prometheus text on stdout.

    Prometheus text is what a textfile collector reads: each engine's metrics over the last minute
    (or --last). With --json the rows are one JSON list.
    """
    from_ms = None if last is None else now_ms() - round(last * 1000)
    with read_ledger(db) as ledger:
        chosen = _chosen(ledger, engine)
        if form == "prometheus":
            _prometheus(ledger, chosen, last or PROMETHEUS_SPAN_S)
            return
        engine_id = chosen[0].id if engine else None
        table = map(_cleaned, rows(ledger, what, engine_id=engine_id, from_ms=from_ms))
        if as_json:
            _json_list(table)
        elif form == "csv":
            _csv(columns(ledger, what), table)
        else:
            _json_lines(table)


def _chosen(ledger: Ledger, engine: str | None) -> list[EngineRow]:
    from app.cli.shared.choose import ledger_engine
    from store.tables.engines import list_engines

    return [ledger_engine(ledger, engine)] if engine else list_engines(ledger)


def _csv(names: Sequence[str], table: Rows) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(
        [for_spreadsheet(cell) if isinstance(cell, str) else cell for cell in row.values()]
        for row in table
    )


def _cleaned(row: Mapping[str, object]) -> Mapping[str, object]:
    """Texts of others may lie in a ledger since before they were cleaned at the door."""
    return {
        name: printable(cell, max(LONGEST_LINE, len(cell))) if isinstance(cell, str) else cell
        for name, cell in row.items()
    }


def _json_lines(table: Rows) -> None:
    for row in table:
        sys.stdout.write(_object(row) + "\n")


def _json_list(table: Rows) -> None:
    before = "["
    for row in table:
        sys.stdout.write(f"{before}\n{_object(row)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _object(row: Mapping[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def _prometheus(ledger: Ledger, engines: Sequence[EngineRow], span_s: float) -> None:
    from app.settings.load import load_settings, price_book
    from store.metrics.measure import METRICS, MetricValue, metrics
    from store.windows.window import read_window

    prices = price_book(load_settings())
    at_ms = now_ms()
    measured: list[tuple[EngineRow, dict[str, MetricValue]]] = []
    for row in engines:
        window = read_window(ledger, row.id, at_ms - round(span_s * 1000), at_ms)
        if window is not None:
            measured.append((row, metrics(window, prices)))
    for spec in METRICS:
        # A bound such as "under 0.3 s" is no number, and an unknown value is absent, not 0.
        known = [(row, values[spec.name]) for row, values in measured]
        samples = [(row, value) for row, value in known if isinstance(value, int | float)]
        if samples:
            sys.stdout.write(f"# HELP trimtab_{spec.name} {spec.label} over {span_s:g} s\n")
            sys.stdout.write(f"# TYPE trimtab_{spec.name} gauge\n")
        for row, value in samples:
            labels = f'engine="{_label(row.name)}",url="{_label(row.url)}"'
            sys.stdout.write(f"trimtab_{spec.name}{{{labels}}} {value!r}\n")


def _label(text: str) -> str:
    return printable(text, LONGEST_LINE).replace("\\", r"\\").replace('"', r"\"")
