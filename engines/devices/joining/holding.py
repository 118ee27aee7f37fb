"""Which engine holds which GPU, how that is known, and how much of it.

In this order: the driver names a process of the engine (walking its parents upward finds it, Ray's
workers by their connections); a person said so; the engine's CUDA_VISIBLE_DEVICES. Nothing here
asks the driver: what it told is given as `Card`s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engines.devices.host.computing import is_cpu_build
from engines.devices.joining import ray
from engines.devices.joining.environment import visible_to
from engines.devices.joining.one_gpu import Holder, Split, split
from engines.devices.joining.pids import seen_pids
from engines.devices.joining.visible import stated
from engines.devices.nvml import Gpu, GpuProcess
from engines.held_gpus import By, Confidence, GpuHold, Holding, Rank
from engines.host.processes import EngineTree, engine_of, engine_trees, title
from engines.host.procfs import read_process
from store.records import Device

MIB = 1 << 20
SAY_WHICH = (
    "say which it holds: --gpus, or [gpus] in settings.toml; in a container --pid=host shows them"
)


_MEASURED: frozenset[By] = frozenset({"pid", "ray"})


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU and the processes that the driver says compute on it."""

    gpu: Gpu
    processes: tuple[GpuProcess, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """An engine by its root PID (None where its process is not seen), and what a person said that
    it holds ('' for nothing)."""

    pid: int | None
    stated: str = ""


@dataclass(slots=True)
class _Claim:
    """What is known of one engine before shares are reckoned."""

    by: By = "pid"
    confidence: Confidence = "certain"
    uuids: set[str] = field(default_factory=set)
    problem: str = ""


def join(cards: Sequence[Card], asked: Sequence[Asked]) -> list[Holding]:
    """The GPUs of each engine that is asked for, in their order. Looks through /proc."""
    if not cards:
        return [Holding() for _ in asked]
    people = _People(cards, asked)
    claims = [people.claim(each) for each in asked]
    splits = {card.gpu.uuid: people.split(card) for card in cards}
    return [_holding(cards, splits, each, claim) for each, claim in zip(asked, claims, strict=True)]


class _People:
    """Whose the processes on the cards are; and who claims a card without one of them."""

    def __init__(self, cards: Sequence[Card], asked: Sequence[Asked]) -> None:
        self._cards = cards
        self._gpus = [card.gpu for card in cards]
        self._asked = asked
        self._seen = seen_pids(process.pid for card in cards for process in card.processes)
        self._trees_now: list[EngineTree] | None = None
        self._certain: dict[int, bool] = {}
        roots = {each.pid for each in asked if each.pid is not None}
        self._engine_by_pid = {pid: self._engine(pid, roots) for pid in set(self._seen.values())}
        self._claims: dict[Asked, _Claim] = {}
        self._with_process = {
            engine for engine in self._engine_by_pid.values() if engine is not None
        }
        self._claim_others()

    def claim(self, asked: Asked) -> _Claim:
        """What is known of one engine, and how."""
        if asked not in self._claims:
            self._claims[asked] = self._found(asked)
        return self._claims[asked]

    def split(self, card: Card) -> Split:
        """How a card is shared by all that hold it: engines, and jobs that are none."""
        claimants = [
            each
            for each, claim in self._claims.items()
            if claim.by not in _MEASURED and card.gpu.uuid in claim.uuids
        ]
        holders: dict[object, Holder] = {}
        for process in card.processes:
            pid = self._seen.get(process.pid)
            engine = None if pid is None else self._engine_by_pid[pid]
            if pid is None and len(claimants) == 1:
                _add(holders, claimants[0], process, None)  # whose else would the unseen be?
            elif pid is None and claimants:
                continue
            else:
                is_engine = engine is not None
                key: object = Asked(engine) if is_engine else ("job", process.pid)
                _add(holders, key, process, pid)
        for each in claimants:
            holders.setdefault(each, Holder(is_engine=True, memory=None))
        return split(holders)

    def unseen_on(self, uuids: set[str] | None = None) -> list[str]:
        """The numbers of the GPUs that processes use which cannot be seen from here."""
        return [
            card.gpu.index
            for card in self._cards
            if (uuids is None or card.gpu.uuid in uuids)
            and any(process.pid not in self._seen for process in card.processes)
        ]

    def _found(self, asked: Asked) -> _Claim:
        uuids = {
            card.gpu.uuid
            for card in self._cards
            for process in card.processes
            if asked.pid is not None
            and self._engine_by_pid.get(self._seen.get(process.pid, 0)) == asked.pid
        }
        if uuids and asked.pid in self._certain:
            is_certain = self._certain[asked.pid]
            return _Claim("ray", "certain" if is_certain else "likely", uuids)
        if uuids:
            return _Claim("pid", "certain", uuids)
        if asked.stated:
            told = stated(self._gpus, asked.stated)
            found = {gpu.uuid for gpu in told.gpus}
            problem = told.problem and f"its GPUs are set to {asked.stated}, but {told.problem}"
            return _Claim("setting", "stated", found, problem or "it is set to hold no GPU")
        return self._by_environment(asked)

    def _by_environment(self, asked: Asked) -> _Claim:
        tree = next((tree for tree in self._trees() if tree.root.pid == asked.pid), None)
        if tree is None or asked.pid is None or is_cpu_build(asked.pid):
            return _Claim("environment", "likely", problem=self._why_none())
        told = visible_to(tree, self._gpus)
        if told is None:
            return _Claim("environment", "likely", problem=self._why_none())
        found = {gpu.uuid for gpu in told.gpus}
        problem = told.problem or "its CUDA_VISIBLE_DEVICES leaves it no GPU"
        return _Claim("environment", "likely", found, problem)

    def _why_none(self) -> str:
        unseen = self.unseen_on()
        if unseen:
            gpus = f"GPU {unseen[0]}" if len(unseen) == 1 else f"GPUs {', '.join(unseen)}"
            are = "is" if len(unseen) == 1 else "are"
            return f"{gpus} {are} used by processes that cannot be seen from here: {SAY_WHICH}"
        return (
            "no GPU tells of a process of this engine, so it is not known which it holds: "
            + SAY_WHICH
        )

    def _claim_others(self) -> None:
        """Engines that are not asked for may claim a card, too, where the driver names no process
        of theirs; they are looked for only where one that is asked for depends on it."""
        for each in self._asked:
            self.claim(each)
        if all(claim.by in _MEASURED for claim in self._claims.values()):
            return
        known = self._with_process | {each.pid for each in self._asked}
        for tree in self._trees():
            if tree.root.pid not in known:
                self.claim(Asked(tree.root.pid))

    def _trees(self) -> list[EngineTree]:
        if self._trees_now is None:
            self._trees_now = engine_trees()
        return self._trees_now

    def _engine(self, pid: int, roots: set[int]) -> int | None:
        """The root PID of the engine that a process computes for."""
        engine = pid if pid in roots else engine_of(pid)
        process = read_process(pid) if engine is None else None
        if process is None or not ray.is_worker(process):
            return engine
        belongs = ray.engine_of_worker(process, self._trees())
        if belongs is None:
            return None
        root, is_certain = belongs
        self._certain[root] = self._certain.get(root, True) and is_certain
        return root


def _add(holders: dict[object, Holder], key: object, process: GpuProcess, pid: int | None) -> None:
    """Count a process to whoever holds the card by it."""
    seen = None if pid is None else read_process(pid)
    named = "a process that cannot be seen from here" if seen is None else title(seen)
    rank = Rank(named, process.pid, (process.memory or None) and (process.memory or 0) // MIB)
    holder = holders.get(key)
    if holder is None:
        is_engine = isinstance(key, Asked)
        holders[key] = Holder(is_engine, process.memory or None, (rank,))
    else:
        both_told = holder.memory is not None and bool(process.memory)
        memory = (holder.memory or 0) + (process.memory or 0) if both_told else None
        holders[key] = Holder(holder.is_engine, memory, (*holder.ranks, rank))


def _holding(
    cards: Sequence[Card], splits: Mapping[str, Split], asked: Asked, claim: _Claim
) -> Holding:
    holds = []
    for card in cards:
        gpu = card.gpu
        if gpu.uuid not in claim.uuids:
            continue
        part = splits[gpu.uuid]
        key: object = Asked(asked.pid) if claim.by in _MEASURED else asked
        holder = part.holders[key]
        memory_mib = None if holder.memory is None else holder.memory // MIB
        holds.append(
            GpuHold(
                Device("gpu", gpu.uuid, gpu.name),
                part.share_of(key),
                memory_mib,
                gpu.index,
                claim.by,
                claim.confidence,
                part.told_to(key),
                holder.ranks,
            )
        )
    return Holding(tuple(holds), "" if holds else claim.problem)
