"""Who acted, when, and the row that an act leaves in the ledger."""

from __future__ import annotations

import getpass
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from app.text.durations import format_took
from store.errors import LedgerUnusable, TrimtabError
from store.foreign_text import printable
from store.records import Change, Event, format_value

if TYPE_CHECKING:
    from engines.knob_handle import KnobHandle
    from store.ledger.connection import Ledger

_LONGEST_WHO = 120


def who() -> str:
    """The person acting, for the audit: the user's name, also of one who became root by sudo, and
    where they came from over SSH."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    caller = os.environ.get("SUDO_USER", "")
    if caller and os.geteuid() == 0 and caller != name:
        name = f"{caller} as {name}"
    origin = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    return printable(f"{name} from {origin}" if origin else name, _LONGEST_WHO)


def describe(change: Change) -> str:
    """A change as one line: knob, old and new value, and how long it took."""
    line = f"{change.knob}: {format_value(change.from_value)} -> {format_value(change.to_value)}"
    took = "" if change.took_ms is None else f"  ({format_took(change.took_ms)})"
    if change.outcome != "applied":
        return f"{line}  {change.outcome}: {change.reason}"
    lease = f"  falls back in {change.lease_s:g} s" if change.lease_s else ""
    remark = f"  ({change.reason})" if change.reason else ""
    return line + took + lease + remark


def keep(ledger: Ledger, run_id: int, engine: KnobHandle, change: Change) -> Change:
    """Write a change, its line in the event log and the knobs as they are after it.

    What the engine has done is done: where an applied change cannot be written its reason says so.
    Whoever records copies it from the engine's journal.
    """
    try:
        _write(ledger, run_id, engine, change)
    except LedgerUnusable as error:
        if change.outcome != "applied":
            raise
        return replace(change, reason=f"not written down: {error.what}")
    return change


def _write(ledger: Ledger, run_id: int, engine: KnobHandle, change: Change) -> None:
    from store.tables import changes, engines, events, knobs

    with ledger.transaction(durable=True):
        row = engines.find_engine(ledger, engine.life.url)
        if changes.record(ledger, run_id, change) and row is not None:
            events.add(ledger, row.id, Event(change.ts_ms, "change", describe(change)))
    if change.outcome == "applied":
        from engines.control.knobs import read_knobs

        try:
            states = read_knobs(engine.sockets)
        except TrimtabError:
            return  # the change is made and kept; whoever records reads the knobs again
        with ledger.transaction():
            knobs.record(ledger, run_id, change.ts_ms, states)
