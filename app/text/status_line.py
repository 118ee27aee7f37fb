"""One line about an engine's last seconds, for a log or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook

SPAN_MS = 10_000
STATUS_METRICS = (
    "request_rate",
    "generation_rate",
    "running_mean",
    "waiting_mean",
    "cache_hit_rate",
    "ttft_p95",
    "cost_per_request_usd",
)
"""The metrics of the line, in its order."""


def status_line(ledger: Ledger, url: str, prices: PriceBook, now_ms: int) -> str:
    """The engine's name and its last `SPAN_MS`: rates, cache, cost; or why there is nothing."""
    from store.metrics.formats import format_metric
    from store.metrics.measure import SPECS, metrics
    from store.tables.engines import find_engine
    from store.windows.window import read_window

    row = find_engine(ledger, url)
    if row is None:
        return f"{url}: not read yet"
    if row.state != "ok":
        return f"{row.name}: {row.state}: {row.state_reason}"
    window = read_window(ledger, row.id, now_ms - SPAN_MS, now_ms)
    if window is None:
        return f"{row.name}: no reading in the last {SPAN_MS / 1000:g} s"
    values = metrics(window, prices)
    shown = (
        f"{SPECS[name].label} {format_metric(SPECS[name], values[name])}" for name in STATUS_METRICS
    )
    return f"{row.name}: " + "  ".join(shown)
