"""What is known of a gauge over time, and for how long it was not."""

from __future__ import annotations

from engines.recording.integrals.integral import Integral


class Known:
    """The integral of a gauge and the time without it; both None until it is told first.

    `open_us` is a stretch that is unknown for now, and may yet become known: a counter that comes
    back tells of it.
    """

    def __init__(self, parts: int, value: int | None, unknown_ms: int | None) -> None:
        self._integral = Integral(parts, value)
        self._unknown_us = (unknown_ms or 0) * 1_000
        self.open_us = 0

    def begin(self) -> None:
        """It is told now."""
        self._integral.begin()

    def watch(self, amount: int | None, interval_us: int) -> None:
        """The gauge's part of an interval, None where it is not known."""
        if amount is None:
            self._unknown_us += interval_us
        else:
            self._integral.begin()
            self._integral.add(amount)

    @property
    def value(self) -> int | None:
        """The integral in the ledger's units."""
        return self._integral.value

    @property
    def unknown_ms(self) -> int | None:
        """The time in which it was not known."""
        if self._integral.value is None:
            return None
        return (self._unknown_us + self.open_us) // 1_000


def energy_between(
    before: tuple[int | None, int | None],
    after: tuple[int | None, int | None],
    watched_us: int | None,
) -> int | None:
    """Millijoules between two samples, each a counter in mJ and a power in mW; None where they do
    not tell. The counter tells of a gap, too; a power only of time that was watched."""
    if before[0] is not None and after[0] is not None and after[0] >= before[0]:
        return after[0] - before[0]
    if watched_us is None or before[1] is None or after[1] is None:
        return None
    return (before[1] + after[1]) * watched_us // 2_000_000
