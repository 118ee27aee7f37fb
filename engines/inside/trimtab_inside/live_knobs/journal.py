"""The last changes, numbered, for whoever copies them into a ledger."""

from __future__ import annotations

from collections import deque
from typing import Any

KEPT = 256


class Journal:
    """A bounded list of finished changes. Each has a sequence number that only grows."""

    def __init__(self, max_entries: int = KEPT) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=max_entries)
        self.seq = 0

    def add(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Number a change and keep it."""
        self.seq += 1
        numbered = {**entry, "seq": self.seq}
        self._entries.append(numbered)
        return numbered

    def find(self, change_id: str) -> dict[str, Any] | None:
        """The latest entry of a change."""
        return next((entry for entry in reversed(self._entries) if entry["id"] == change_id), None)

    def since(self, seq: int) -> list[dict[str, Any]]:
        """Entries after `seq`, oldest first. A number from before a restart brings all of them."""
        after = seq if seq <= self.seq else 0
        return [entry for entry in self._entries if entry["seq"] > after]
