"""A supervisor's lines in the event log of a ledger."""

from __future__ import annotations

import contextlib
from pathlib import Path

from store.clock import now_ms
from store.errors import TrimtabError
from store.records import Event


def tell_ledger(db: Path | None, url: str, text: str) -> None:
    """Add a line for the engine at `url`. A ledger that cannot be written stops no swap."""
    if db is None:
        return
    from store import engines, events
    from store.ledger import Ledger

    with contextlib.suppress(TrimtabError), Ledger.open(db) as ledger:
        row = engines.find_engine(ledger, url)
        if row is not None:
            events.add(ledger, row.id, Event(now_ms(), "swap", text))
