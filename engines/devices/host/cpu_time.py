"""The CPU time that an engine's processes have used."""

from __future__ import annotations

from engines.host.processes import EngineTree
from engines.host.procfs import CLOCK_TICKS, read_text

_USER, _CHILDREN_SYSTEM = 11, 14
"""Places in /proc/PID/stat after the name: utime, stime, cutime, cstime (proc_pid_stat(5))."""


def tree_cpu_s(tree: EngineTree) -> float:
    """Seconds of CPU that the processes of an engine have used, with those of children that ended
    and were waited for."""
    return sum(_cpu_s(process.pid) for process in (tree.root, *tree.members))


def _cpu_s(pid: int) -> float:
    stat = read_text(f"/proc/{pid}/stat") or ""
    fields = stat[stat.rfind(")") + 1 :].split()
    ticks = fields[_USER : _CHILDREN_SYSTEM + 1]
    return sum(map(int, ticks)) / CLOCK_TICKS if len(ticks) == 4 else 0.0
