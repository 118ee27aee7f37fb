"""The charts: which metrics they draw, and what each point of a line stands for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line of a chart: a total or a ratio of `store/metrics/specs.py`, which add up over slots.

    A point is of its own slot, or of the last seconds where it is `trailing`: ratios over few
    requests jump. `role` is its colour's.
    """

    metric: str
    role: str
    legend: str
    trailing: bool = False


@dataclass(frozen=True, slots=True)
class ChartSpec:
    """A chart: its title, a note on what a point is, and its lines.

    `ceiling` fixes the scale of a fraction; else it follows the largest value in sight. A `priced`
    chart says at what price instead of its note.
    """

    id: str
    title: str
    note: str
    lines: tuple[ChartLine, ...]
    ceiling: float | None = None
    priced: bool = False


CHARTS = (
    ChartSpec(
        "tokens",
        "Output tokens",
        "per second",
        (ChartLine("generation_rate", "primary", "output"),),
    ),
    ChartSpec(
        "cost",
        "Cost per request",
        "USD",
        (ChartLine("cost_per_request_usd", "money", "cost", trailing=True),),
        priced=True,
    ),
    ChartSpec(
        "hits",
        "Cache hit rate",
        "of prompt tokens",
        (ChartLine("cache_hit_rate", "primary", "hits", trailing=True),),
        ceiling=1.0,
    ),
    ChartSpec(
        "queue",
        "Requests",
        "",
        (
            ChartLine("running_mean", "primary", "running"),
            ChartLine("waiting_mean", "second", "waiting"),
        ),
    ),
)
