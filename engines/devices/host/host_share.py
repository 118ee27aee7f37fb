"""How the host is shared by the engines that compute on its CPU: by what each uses.

Only those count that are proved to compute there: a process that merely looks like an engine, or a
stranger's that cannot be looked into, makes nobody's cost less.

A core that only one engine may run on is its own; one that several may is split by the CPU time
that each has used per core it may run on. What no engine may use is nobody's. So

    Σ over engines of device-time + device-time of the cores nobody may use = wall time

holds to the last microsecond: shares are whole parts per million that are valid from one instant on
for all engines, and device-time is summed here, once, for all that ask.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from engines.devices.host.computing import are_of_cpu_build
from engines.devices.host.cpu_time import tree_cpu_s
from engines.host.processes import EngineTree, engine_trees, is_of_vllm
from engines.host.procfs import descendants, process_ids, processes, read_process
from store.clock import now_ms

WHOLE = 1_000_000
SHARES_EVERY_S = 5.0
_LOOK_EVERY_S = 30.0
"""All processes are gone through (60 ms of CPU) where a new one looks like vLLM's, else so often:
one that was seen as another program may have become an engine."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """An engine on the host: the cores it may run on, and how many of them it has kept busy."""

    cores: frozenset[int]
    busy_cores: float


@dataclass(frozen=True, slots=True)
class HostShare:
    """One engine's part of the host: now, and as device-time since this program began to count, in
    parts per million × microseconds. `shared` says with whom and by what, '' where it has it alone.
    """

    share_ppm: int
    held_ppm_us: int
    shared: str = ""


def split_host(tenants: Mapping[int, Tenant], cores: Collection[int]) -> dict[int, int]:
    """The parts per million of the host that each engine has; they never sum to more than 1e6.

    `cores` are those of the host. A core of whose time nobody has used any is split equally.
    """
    parts = dict.fromkeys(tenants, 0.0)
    for core in cores:
        here = {pid: tenant for pid, tenant in tenants.items() if core in tenant.cores}
        weights = {pid: tenant.busy_cores / len(tenant.cores) for pid, tenant in here.items()}
        total = sum(weights.values())
        if total <= 0:
            weights, total = dict.fromkeys(here, 1.0), len(here)
        for pid, weight in weights.items():
            parts[pid] += weight / total / len(cores)
    return _whole_parts(parts)


def _whole_parts(parts: Mapping[int, float]) -> dict[int, int]:
    """Parts per million, rounded so that they sum to the rounded sum."""
    shares = {pid: int(part * WHOLE) for pid, part in parts.items()}
    rest = round(sum(parts.values()) * WHOLE) - sum(shares.values())
    largest_first = sorted(parts, key=lambda pid: shares[pid] - parts[pid] * WHOLE)
    for pid in largest_first[:rest]:
        shares[pid] += 1
    return shares


@dataclass(slots=True)
class _Account:
    """What is kept of one engine from look to look."""

    tree: EngineTree
    used: tuple[int, float] | None = None
    share_ppm: int = 0
    held_ppm_us: int = 0
    is_cpu: bool | None = None
    shared: str = ""

    def use(self, now_us: int) -> float:
        """How many cores it has kept busy since this was last asked; at first, since it began."""
        cpu_s, before = tree_cpu_s(self.tree), self.used
        self.used = now_us, cpu_s
        if before is None:
            return cpu_s / max(1.0, (now_ms() - self.tree.root.started_ms) / 1e3)
        return max(0.0, cpu_s - before[1]) * 1e6 / max(1, now_us - before[0])


@dataclass(slots=True)
class HostShares:
    """The host's engines and their parts, for all recorders of this program. Thread-safe."""

    _accounts: dict[int, _Account] = field(default_factory=dict)
    _proved: set[int] = field(default_factory=set)
    _known_pids: set[int] = field(default_factory=set)
    _counted_us: int = 0
    _split_us: int = 0
    _looked_us: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, pid: int, now_us: int | None = None) -> HostShare | None:
        """The part of an engine (by its root PID) that is proved to compute on the host; None where
        its process has ended.

        Reads /proc at most every `SHARES_EVERY_S`: for a thread.
        """
        with self._lock:
            now = time.monotonic_ns() // 1_000 if now_us is None else now_us
            is_new = pid not in self._proved or pid not in self._accounts
            self._proved.add(pid)
            self._count(now)
            if is_new or now - self._split_us >= SHARES_EVERY_S * 1e6:
                self._look(now, anew=is_new)
                self._split(now)
            account = self._accounts.get(pid)
            if account is None:
                return None
            return HostShare(account.share_ppm, account.held_ppm_us, account.shared)

    def _count(self, now_us: int) -> None:
        """Add up device-time until now at the shares that were valid since the last time."""
        passed_us = now_us - self._counted_us if self._counted_us else 0
        for account in self._accounts.values():
            account.held_ppm_us += account.share_ppm * passed_us
        self._counted_us = now_us

    def _look(self, now_us: int, *, anew: bool) -> None:
        """Find the engines that there are."""
        pids = set(process_ids())
        appeared = pids - self._known_pids
        is_due = now_us - self._looked_us >= _LOOK_EVERY_S * 1e6
        has_ended = not self._accounts.keys() <= pids
        self._known_pids = pids
        if not (anew or is_due or has_ended or any(map(_looks_like_vllm, appeared))):
            return
        self._looked_us = now_us
        found = {tree.root.pid: tree for tree in engine_trees()}
        found |= {pid: tree for pid in self._proved - found.keys() if (tree := _tree_of(pid))}
        for pid in self._accounts.keys() - found.keys():
            del self._accounts[pid]
        self._proved &= found.keys()
        for pid, tree in found.items():
            account = self._accounts.get(pid)
            if account is None or account.tree.root.started_ms != tree.root.started_ms:
                account = self._accounts[pid] = _Account(tree)
            account.tree = tree
            if account.is_cpu is None:
                account.is_cpu = are_of_cpu_build(each.pid for each in (tree.root, *tree.members))

    def _split(self, now_us: int) -> None:
        """Shares from now on, by what was used since the last time (at first: ever)."""
        self._split_us = now_us
        tenants: dict[int, Tenant] = {}
        for pid, account in self._accounts.items():
            account.share_ppm = 0
            if pid in self._proved or account.is_cpu:
                tenants[pid] = Tenant(_cores(account.tree), account.use(now_us))
        cores = frozenset(os.sched_getaffinity(0)).union(*(each.cores for each in tenants.values()))
        for pid, share_ppm in split_host(tenants, cores).items():
            self._accounts[pid].share_ppm = share_ppm
            self._accounts[pid].shared = _told(pid, tenants, cores)


def _told(pid: int, tenants: Mapping[int, Tenant], cores: Collection[int]) -> str:
    """With whom an engine shares the host, in words that stay while they do."""
    own = tenants[pid].cores
    others = [other for other, tenant in tenants.items() if other != pid and tenant.cores & own]
    bound = f"bound to {len(own)} of {len(cores)} cores" if len(own) < len(cores) else ""
    if not others:
        return bound
    number = f"{len(others)} other engine{'s' if len(others) > 1 else ''}"
    shared = f"shared with {number}, by CPU time"
    return f"{bound}, {shared}" if bound else shared


def _cores(tree: EngineTree) -> frozenset[int]:
    """The cores that any process of an engine may run on."""
    cores: set[int] = set()
    for process in (tree.root, *tree.members):
        try:
            cores |= os.sched_getaffinity(process.pid)
        except OSError:
            continue
    return frozenset(cores or os.sched_getaffinity(0))


def _tree_of(pid: int) -> EngineTree | None:
    """An engine that is known by other means than its command line."""
    root = read_process(pid)
    return None if root is None else EngineTree(root, tuple(descendants(pid, processes())))


def _looks_like_vllm(pid: int) -> bool:
    process = read_process(pid)
    return process is not None and is_of_vllm(process)
