"""A supervisor's lines in a ledger: an engine's life, how long it took to start, and its swaps.

A ledger that cannot be written stops nothing, nor does a disk that hangs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engines.command_line.arguments import read_arguments
from engines.discovery.find import probe
from engines.discovery.local import handle_at
from engines.launch.launch import BEFORE, Launch
from engines.recording.current_run import run_of
from engines.serving.start_watch import StartTimes
from engines.supervisor.common.teller import Teller
from engines.supervisor_client.swap_order import Order
from store.clock import now_ms
from store.errors import TrimtabError
from store.ledger.connection import Ledger
from store.records import VARIANT, Change, Event, RunInfo
from store.reports.outcomes import DONE, RUNNING
from store.reports.step_line import StepLine
from store.reports.swap import ROLLED_BACK, SwapReport
from store.tables import changes, engines, events, starts, swaps
from store.tables.starts import StartRow, command_key

_DONE_BEFORE = "the swap had been done"


def tell_event(db: Path | None, launch: Launch, kind: str, text: str) -> None:
    """Add a line to the engine's event log."""
    _write(db, launch, lambda ledger, engine: events.add(ledger, engine, _event(kind, text)))


def tell_start(db: Path | None, launch: Launch, times: StartTimes, *, beside: bool) -> None:
    """Keep how long the engine took until it was healthy."""
    row = StartRow(now_ms(), *start_key(launch), beside, times.took_s, times.phases)
    _write(db, launch, lambda ledger, engine: starts.record(ledger, engine, row))


def start_key(launch: Launch) -> tuple[str, str]:
    """What a start is known by: the model that it reads, and its command in short."""
    return read_arguments(launch.arguments).model or launch.model, command_key(launch.arguments)


def tell_swap(db: Path | None, launch: Launch, report: SwapReport, text: str) -> None:
    """Bring the swap's row up to date, and add a line to the event log."""

    _write(db, launch, lambda ledger, engine: _record(ledger, engine, report, text))


def tell_change(
    order: Order, before: Launch, after: Launch, took_s: float, undoes: str | None
) -> None:
    """Keep a finished swap as a change of the variant, in the run of the new engine."""
    if order.db is None:
        return
    change = Change(
        id=order.id,
        ts_ms=now_ms(),
        knob=VARIANT,
        from_value=before.variant,
        to_value=after.variant,
        outcome="applied",
        cause="set" if order.variant is not None else "undo",
        who=order.who,
        why=order.why,
        took_ms=took_s * 1000,
        undoes=undoes,
    )
    life = _life_at(after.url)
    if life is not None:
        _write(
            order.db,
            after,
            lambda ledger, _: changes.record(ledger, run_of(ledger, life), change),
        )


def _life_at(url: str) -> RunInfo | None:
    """The life of the engine that serves an address, also of one too busy to answer HTTP."""
    try:
        return probe(url).run_info()
    except TrimtabError:
        handle = handle_at(url)
        return None if handle is None else handle.life


def tell_interrupted(order: Order, launch: Launch, outcome: str, reason: str) -> SwapReport:
    """Close the row of a swap whose supervisor was killed; what can be told of it.

    What that supervisor had written is kept, also where the ledger can be read only later.
    """
    took_s = round((now_ms() - order.asked_ms) / 1000, 1)
    written: list[SwapReport] = []

    def write(ledger: Ledger, engine: int) -> None:
        stored = swaps.get(ledger, order.id)
        report = _closed(stored or interrupted(order), outcome, reason, took_s)
        _record(ledger, engine, report, _last_word(report))
        written.append(report)

    _write(order.db, launch, write)
    return written[0] if written else _closed(interrupted(order), outcome, reason, took_s)


def tell_abandoned(db: Path | None, launch: Launch, running: str | None) -> None:
    """Close the rows of swaps that nobody carries on, all but that with the id `running`: the
    supervisors and the keeper that knew them are gone."""

    def write(ledger: Ledger, engine: int) -> None:
        for swap in swaps.unfinished(ledger, engine):
            if swap.id == running:
                continue
            took_s = swap.steps[-1].at_s if swap.steps else None
            outcome, reason = ROLLED_BACK, "whoever knew how it ended was killed"
            if swap.id == launch.swap_id:
                outcome, reason = DONE, ""
            closed = _closed(swap, outcome, reason, took_s)
            _record(ledger, engine, closed, _last_word(closed))

    _write(db, launch, write)


def finish(seconds: float) -> None:
    """Let what is not written yet be written, before the process ends."""
    _teller.finish(seconds)


def _closed(swap: SwapReport, outcome: str, reason: str, took_s: float | None) -> SwapReport:
    at_s = took_s if took_s is not None else 0.0
    line = StepLine(at_s, outcome, reason or _DONE_BEFORE)
    closed_steps = (*swap.steps, line)
    return replace(swap, outcome=outcome, reason=reason, took_s=took_s, steps=closed_steps)


def _last_word(swap: SwapReport) -> str:
    return f"{swap.outcome}: {swap.reason or _DONE_BEFORE}"


def _record(ledger: Ledger, engine: int, swap: SwapReport, text: str) -> None:
    with ledger.transaction():
        swaps.record(ledger, engine, swap)
        events.add(ledger, engine, _event("swap", text))


def interrupted(order: Order) -> SwapReport:
    """What is known of a swap whose supervisor was killed before the engine serves again."""
    name = BEFORE if order.variant is None else order.variant.name
    return replace(begun(order, name), waited_s=None)


def begun(order: Order, variant: str) -> SwapReport:
    """The report of a swap to `variant` that begins."""
    return SwapReport(
        id=order.id,
        ts_ms=order.asked_ms,
        variant=variant,
        strategy=order.strategy,
        outcome=RUNNING,
        who=order.who,
        why=order.why,
        waited_s=0.0,
    )


def _event(kind: str, text: str) -> Event:
    return Event(now_ms(), kind, text)


def _write(db: Path | None, launch: Launch, write: Callable[[Ledger, int], object]) -> None:
    if db is None:
        return

    def work() -> None:
        with Ledger.open(db) as ledger:
            row = engines.find_engine(ledger, launch.url)
            engine_id = row.id if row else engines.upsert_engine(ledger, launch.url, launch.name)
            write(ledger, engine_id)

    _teller.tell(work)


_teller = Teller()
