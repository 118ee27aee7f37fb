"""One time integral, and how long a gap may be that is still watched."""

from __future__ import annotations

GAP_INTERVALS = 3
SHORTEST_GAP_US = 5_000_000
LATE_US = 3_000_000


def longest_gap_us(every_s: float) -> int:
    """The longest time between two scrapes that is watched: three intervals, 5 s at least."""
    return max(round(GAP_INTERVALS * every_s * 1_000_000), SHORTEST_GAP_US)


def late_us(every_s: float) -> int:
    """A device that has told nothing for longer is not merely slow: three intervals, 3 s at
    least."""
    return max(round(GAP_INTERVALS * every_s * 1_000_000), LATE_US)


class Integral:
    """A time integral that only grows; None until its gauge is known.

    `parts` of what is added make one of the ledger's units.
    """

    def __init__(self, parts: int, value: int | None) -> None:
        self._parts = parts
        self._amount = None if value is None else value * parts

    @property
    def value(self) -> int | None:
        """In the ledger's units."""
        return None if self._amount is None else self._amount // self._parts

    def begin(self) -> None:
        """From now on the gauge is known."""
        self._amount = self._amount or 0

    def add(self, amount: int) -> None:
        """Add an amount of parts, 0 or more; nothing before the gauge is known."""
        if self._amount is not None:
            self._amount += amount
