"""Whether a start gets on: one that gets no core, or waits for what never comes, need not be waited
for until its time is over."""

from __future__ import annotations

import time

from engines.host import lifetime
from engines.host.procfs import CLOCK_TICKS, read_text

STALLED_S = 60.0
"""So long without progress a start may be. A start was seen to get 2 % of a core for minutes."""
_CPU_S = 6.0
_BYTES = 16 << 20
_EVERY_S = 5.0
_COUNTED = ("rchar:", "wchar:", "read_bytes:")
"""Of /proc/PID/io: what was read and written by calls, and from a disk (files mapped into memory
are read by no call)."""


class Progress:
    """Counts the work of a started engine: `CPU_S` seconds of CPU time, or `BYTES` read or written,
    or a new phase are progress. Ask `stalled_s` again and again."""

    def __init__(self, pid: int, ticks: int) -> None:
        self._pid = pid
        self._ticks = ticks
        self._last: dict[int, tuple[float, int]] = {}
        self._phase = 0
        self._looked_at = self._moved_at = time.monotonic()
        self.cpu_s = 0.0
        self.bytes = 0

    def stalled_s(self, phase: int) -> float:
        """Seconds since the last progress; `cpu_s` and `bytes` are what was done in them."""
        now = time.monotonic()
        if now - self._looked_at >= _EVERY_S:
            self._looked_at = now
            self._count()
        if phase != self._phase or self.cpu_s >= _CPU_S or self.bytes >= _BYTES:
            self._phase, self._moved_at = phase, now
            self.cpu_s, self.bytes = 0.0, 0
        return now - self._moved_at

    def _count(self) -> None:
        """Add what each process did since the last look; one that ended in between is lost."""
        work = {pid: _work_of(pid) for pid in lifetime.session_of(self._pid, self._ticks)}
        for pid, (cpu_s, moved) in work.items():
            cpu_before_s, moved_before = self._last.get(pid, (0.0, 0))
            self.cpu_s += max(0.0, cpu_s - cpu_before_s)
            self.bytes += max(0, moved - moved_before)
        self._last = work


def _work_of(pid: int) -> tuple[float, int]:
    """Seconds of CPU time and bytes moved in the life of a process, its ended children's too; 0
    where they cannot be seen."""
    stat = (read_text(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
    cpu_s = sum(map(int, stat[11:15])) / CLOCK_TICKS if len(stat) >= 15 else 0.0
    words = (line.split() for line in (read_text(f"/proc/{pid}/io") or "").splitlines())
    return cpu_s, sum(int(pair[1]) for pair in words if len(pair) == 2 and pair[0] in _COUNTED)
