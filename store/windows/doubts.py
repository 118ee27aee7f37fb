"""What of a window was not believed, or is not known."""

from __future__ import annotations

from store.ledger.connection import Ledger
from store.tables import doubts
from store.windows.window import Window


def doubts_of(ledger: Ledger, window: Window) -> dict[str, str]:
    """What was in doubt at some time in the window → the newest reason."""
    return doubts.between(ledger, window.run_ids, window.from_ms, window.to_ms)
