"""Which of the processes seen here the driver means by a number.

NVML numbers processes as the host does. Inside a container the same number may be another process:
equal numbers of different PID namespaces mean nothing.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping

from engines.devices.host.computing import has_accelerator_library
from engines.host import procfs

_INITIAL_NAMESPACE = 0xEFFFFFFC
"""The inode of the first PID namespace: PROC_PID_INIT_INO of Linux's include/linux/proc_ns.h."""


def seen_pids(numbers: Iterable[int]) -> Mapping[int, int]:
    """By the driver's number the PID here, for the processes that are surely seen from here.

    On the host the numbers are ours. In another namespace they are believed only where each of them
    is, by its NSpid, one process that has a GPU library loaded: then the driver counts as one of
    the namespaces that are seen here. One number that is nobody's says that it does not.
    """
    wanted = set(numbers)
    if _in_initial_namespace():
        return {number: number for number in wanted if procfs.read_process(number) is not None}
    fitting: dict[int, set[int]] = defaultdict(set)
    for pid in procfs.process_ids() if wanted else ():
        matches = wanted.intersection(procfs.namespace_pids(pid))
        if matches and has_accelerator_library(pid):
            for number in matches:
                fitting[number].add(pid)
    if set(fitting) != wanted:
        return {}
    return {number: next(iter(pids)) for number, pids in fitting.items() if len(pids) == 1}


def _in_initial_namespace() -> bool:
    try:
        return os.stat("/proc/self/ns/pid").st_ino == _INITIAL_NAMESPACE  # noqa: PTH116 - no path
    except OSError:
        return False
