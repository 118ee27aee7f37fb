"""What else differed between two windows, or happened inside one: said, not hidden in a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.metrics.cost import cost_of
from store.metrics.formats import three_digits
from store.metrics.prices import PriceBook
from store.tables.changes import list_changes
from store.tables.runs import list_runs

if TYPE_CHECKING:
    from store.compare.sides.side import Side
    from store.ledger.connection import Ledger


def circumstances(ledger: Ledger, a: Side, b: Side, prices: PriceBook) -> list[str]:
    """Sentences on restarts, time left out, changes inside a window, overlap, and on engines,
    models and devices that are not the same."""
    sentences: list[str] = []
    for side in (a, b):
        sentences += _inside(ledger, side, prices)
    overlap_ms = min(a.span.to_ms, b.span.to_ms) - max(a.span.from_ms, b.span.from_ms)
    if a.span.engine_id != b.span.engine_id:
        sentences.append("the windows are of two engines")
    elif overlap_ms > 0:
        sentences.append(f"the windows overlap by {three_digits(overlap_ms / 1000)} s")
    sentences += _differing("models", _models(ledger, a), _models(ledger, b))
    sentences += _differing("devices", _devices(a, prices), _devices(b, prices))
    return sentences


def _inside(ledger: Ledger, side: Side, prices: PriceBook) -> list[str]:
    if side.window is None:
        return []
    sentences = []
    if side.window.runs > 1:
        sentences.append(f"{side.label} spans a restart ({side.window.runs} runs)")
    sentences += [
        f"{three_digits(seconds)} s of {side.label} left out: {reason}"
        for reason, seconds in side.blocks.left_out.items()
    ]
    changed = sorted(
        {
            change.knob
            for change in list_changes(
                ledger, side.span.engine_id, side.window.from_ms, side.window.to_ms
            )
            if change.took_effect and side.window.from_ms < change.ts_ms < side.window.to_ms
        }
    )
    if changed:
        sentences.append(f"{side.label} has a change inside: {', '.join(changed)}")
    reason = cost_of(side.window, prices).reason
    if reason:
        sentences.append(f"cost of {side.label}: {reason}")
    return sentences


def _models(ledger: Ledger, side: Side) -> set[str]:
    if side.window is None:
        return set()
    runs = list_runs(ledger, side.span.engine_id, side.window.from_ms, side.window.to_ms)
    return {run.info.model for run in runs if run.id in side.window.run_ids and run.info.model}


def _devices(side: Side, prices: PriceBook) -> set[str]:
    if side.window is None:
        return set()
    lines = cost_of(side.window, prices).devices
    names = [line.device.name for line in lines]
    return {
        f"{names.count(line.device.name)} x {line.device.name}"
        + (f" at ${three_digits(line.price.usd_per_hour)}/h" if line.price else "")
        for line in lines
    }


def _differing(subject: str, a: set[str], b: set[str]) -> list[str]:
    if a == b or not a or not b:
        return []
    return [f"the {subject} differ: {', '.join(sorted(a))} and {', '.join(sorted(b))}"]
