"""How a window's devices were held and shared."""

from __future__ import annotations

from store.ledger.connection import Ledger
from store.tables import device_notes
from store.tables.device_notes import NotedSpan
from store.windows.window import Window

__all__ = ["NotedSpan", "device_notes_of"]


def device_notes_of(ledger: Ledger, window: Window) -> dict[str, tuple[NotedSpan, ...]]:
    """What was noted of each device at some time in the window, oldest first, by its UUID."""
    return device_notes.between(ledger, window.run_ids, window.from_ms, window.to_ms)
