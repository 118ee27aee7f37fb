"""What is called an effect on a real engine where nothing is changed.

    python -m tests.bench.bench_untouched [LEDGER] [--minutes 60] [--window 45]

An engine is served under the demo's steady traffic, recorded, and left alone; or a LEDGER of such
an engine is read. Neighbouring windows are then compared as `trimtab compare` does, with and
without what the ledger's past says of drift, and watched as the impact strip does: two minutes
before an instant, up to ten minutes after it, at every look. Each effect that is called is false.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from app.cli.shared.recording import record_for
from app.cli.shared.starting import phase_lines
from app.demo.rig import rig
from app.settings.load import load_settings, price_book
from engines.discovery.api_keys import ApiKeys
from engines.held_gpus import StatedGpus
from store.compare.comparison import Comparison, Span, compare, compare_sides
from store.compare.sides.side import read_side
from store.compare.watch import GrowingComparison
from store.ledger.connection import Ledger
from store.metrics.prices import PriceBook
from store.tables.engines import list_engines
from store.tables.runs import list_runs

SETTLED_MS = 60_000
BEFORE_MS, AFTER_MS = 120_000, 600_000
LOOK_EVERY_MS = 5_000
EFFECTS = ("better", "worse")


@dataclass
class Tally:
    """How many comparisons there were, how many had a false verdict, or any false metric."""

    pairs: int = 0
    verdicts: int = 0
    metrics: int = 0

    def add(self, comparison: Comparison) -> None:
        """Count one."""
        self.pairs += 1
        self.verdicts += comparison.verdict in EFFECTS
        self.metrics += any(effect.verdict in EFFECTS for effect in comparison.metrics.values())

    def line(self, name: str) -> str:
        """The tally as text."""
        return (
            f"{name:<34}{self.pairs:4} comparisons: false verdict {self.verdicts}, "
            f"any false metric {self.metrics}"
        )


def leave_alone(path: Path, minutes: float) -> None:
    """Serve an engine, load it, and record it into the ledger at `path`."""
    Ledger.open(path).close()
    with rig("tiny", phase_lines, path) as running:
        record_for(
            path, [running.engine], 60 * minutes, every_s=1.0, keys=ApiKeys(), stated=StatedGpus()
        )


def spans(ledger: Ledger, window_ms: int) -> list[Span]:
    """Neighbouring windows of the first engine's longest run."""
    engine = list_engines(ledger)[0]
    runs = list_runs(ledger, engine.id, 0, 1 << 60)
    ends = [(run.first_ms or 0, run.last_ms or 0) for run in runs]
    first_ms, last_ms = max(ends, key=lambda each: each[1] - each[0])
    starts = range(first_ms + SETTLED_MS, last_ms - window_ms + 1, window_ms)
    return [Span(engine.id, start, start + window_ms) for start in starts]


def compared(ledger: Ledger, windows: Sequence[Span], prices: PriceBook) -> tuple[Tally, Tally]:
    """Pairs of neighbours, with what the past says and by their own noise alone."""
    known, alone = Tally(), Tally()
    for a, b in list(pairwise(windows))[::2]:
        known.add(compare(ledger, a, b, prices))
        before, after = read_side(ledger, a, prices), read_side(ledger, b, prices)
        alone.add(compare_sides(ledger, before, after, prices))
    return known, alone


def watched(ledger: Ledger, windows: Sequence[Span], prices: PriceBook) -> Tally:
    """Each stretch of ten minutes, watched as it grows; a false verdict at any look counts."""
    tally = Tally()
    first, last = windows[0], windows[-1]
    for start in range(first.from_ms + BEFORE_MS, last.to_ms - AFTER_MS + 1, AFTER_MS):
        growing = GrowingComparison(ledger, prices)
        before = Span(first.engine_id, start - BEFORE_MS, start)
        looks = [
            growing.look(before, Span(first.engine_id, start, start + length))
            for length in range(10_000, AFTER_MS + 1, LOOK_EVERY_MS)
        ]
        called = [look for look in looks if look.verdict in EFFECTS]
        tally.add(called[0] if called else looks[-1])
    return tally


def main() -> None:
    """Print the tallies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ledger", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--window", type=float, default=45.0)
    arguments = parser.parse_args()
    prices = price_book(load_settings())
    with tempfile.TemporaryDirectory() as place:
        path = arguments.ledger or Path(place) / "untouched.db"
        if arguments.ledger is None:
            leave_alone(path, arguments.minutes)
        with Ledger.open(path, readonly=True) as ledger:
            windows = spans(ledger, round(1000 * arguments.window))
            known, alone = compared(ledger, windows, prices)
            print(known.line(f"{arguments.window:g} s each"))
            print(alone.line("by their own noise alone"))
            print(watched(ledger, windows, prices).line("watched for ten minutes"))


if __name__ == "__main__":
    main()
