"""The board of knobs: applies changes, keeps their journal, and takes back what nobody stands for.

A change may be *held*: it is applied, but unless it is confirmed within a few seconds it is put
back. So a change over several engines reaches all of them or none, also when the program that asked
for it dies half way. A change may carry a *lease*: when it runs out, the value from before comes
back, unless the knob was changed again since. A leased change that follows another keeps the value
from before the first, so an alternation that is cut off ends where it began.

Only the server's thread calls the board; the lock keeps it out of the scheduler's steps.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..common.log import say_once
from .journal import Journal
from .knobs import Knob, Value

HOLD_S = 3.0
STEP_WAIT_S = 0.5
RETRY_S = 0.2


@dataclass(frozen=True)
class Request:
    """A change as asked for. `value` is checked by the knob; the rest has passed the protocol."""

    id: str
    knob: str
    value: object
    who: str
    why: str = ""
    cause: str = "set"
    undoes: str | None = None
    lease_s: float | None = None
    hold: bool = False


@dataclass(frozen=True)
class Lease:
    """Until when a value stands (monotonic seconds), and what comes back then."""

    ends: float
    back_to: Value
    change: str
    who: str
    seconds: float


@dataclass(frozen=True)
class Standing:
    """What a knob's value rests on: the change that set it, and that change's lease.

    `before` is how things were ahead of it, for putting back; `held` the time by which an
    unconfirmed change must be confirmed.
    """

    entry: dict[str, Any] | None = None
    lease: Lease | None = None
    before: Standing | None = None
    held: float | None = None


class Board:
    """The knobs of one scheduler. `clock` (monotonic) and `wall` (epoch) tell seconds."""

    def __init__(
        self,
        knobs: Sequence[Knob],
        lock: Any,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.journal = Journal()
        self._knobs = {knob.name: knob for knob in knobs}
        self._standing = {knob.name: Standing() for knob in knobs}
        self._lock = lock
        self._clock = clock
        self._wall = wall

    def describe(self) -> list[dict[str, Any]]:
        """Every knob with its value, bounds and remaining lease."""
        return [self._describe(knob) for knob in self._knobs.values()]

    def _describe(self, knob: Knob) -> dict[str, Any]:
        lease = self._standing[knob.name].lease
        return {
            "name": knob.name,
            "kind": knob.kind,
            "value": knob.read(),
            "start": knob.start,
            "minimum": knob.minimum,
            "maximum": knob.maximum,
            "reason": knob.reason,
            "lease_left_s": None if lease is None else max(0.0, lease.ends - self._clock()),
            "lease_back_to": None if lease is None else lease.back_to,
        }

    def set(self, request: Request, received: float) -> dict[str, Any]:
        """Apply a change received at `received`; the answer's `outcome` says whether it took.

        Raises KeyError for a name that is no knob. The same id twice is one change.
        """
        knob = self._knobs[request.knob]
        standing = self._standing[knob.name]
        known_entry = standing.entry
        if known_entry is None or known_entry["id"] != request.id:
            known_entry = self.journal.find(request.id)
        if known_entry is not None:
            return known_entry
        entry = self._entry(request, knob.read())
        refusal = knob.refusal(request.value)
        if standing.held is not None:
            refusal = "another change of this knob is being made"
        if refusal:
            return self.journal.add({**entry, "outcome": "refused", "reason": refusal})
        failure = self._write(knob, request.value)
        now = self._clock()
        entry["ts_ms"] = int(self._wall() * 1000)
        entry["took_ms"] = (now - received) * 1000
        if failure:
            return self.journal.add({**entry, "outcome": "failed", "reason": failure})
        if not request.hold:
            entry = self.journal.add(entry)
        self._standing[knob.name] = Standing(
            entry=entry,
            lease=_lease(request, entry, standing.lease, now),
            before=replace(standing, before=None),
            held=now + HOLD_S if request.hold else None,
        )
        return entry

    def confirm(self, change_id: str) -> dict[str, Any]:
        """Let a held change stand. Raises KeyError where it is not held (any more)."""
        for name, standing in self._standing.items():
            if standing.held is not None and standing.entry and standing.entry["id"] == change_id:
                entry = self.journal.add(standing.entry)
                self._standing[name] = replace(standing, entry=entry, held=None)
                return entry
        known_entry = self.journal.find(change_id)
        if known_entry is None or known_entry["outcome"] != "applied":
            raise KeyError(change_id)
        return known_entry

    def put_back(self, change_id: str, reason: str) -> dict[str, Any]:
        """Undo a change as if it had not been. Raises KeyError if the knob was changed since."""
        for name, standing in self._standing.items():
            entry, before = standing.entry, standing.before
            if entry is None or entry["id"] != change_id or before is None:
                continue
            failure = self._write(self._knobs[name], entry["from"])
            if failure:
                return {**entry, "outcome": "failed", "reason": failure}
            self._standing[name] = before
            return self.journal.add({**entry, "outcome": "put back", "reason": reason})
        raise KeyError(change_id)

    def tick(self) -> float | None:
        """Take back what has run out. Returns seconds until the next time something may."""
        for name, standing in list(self._standing.items()):
            now = self._clock()
            if standing.held is not None and standing.held <= now and standing.entry:
                self.put_back(standing.entry["id"], f"not confirmed within {HOLD_S:g} s")
            elif (
                standing.held is None and standing.lease is not None and standing.lease.ends <= now
            ):
                self._end_lease(self._knobs[name], standing.lease)
        now = self._clock()
        due = [time for standing in self._standing.values() for time in _due(standing)]
        return max(RETRY_S if min(due) <= now else 0.0, min(due) - now) if due else None

    def release(self) -> None:
        """Put every start value back, because nobody will be able to any more."""
        for knob in self._knobs.values():
            if knob.kind == "live" and knob.start is not None and knob.read() != knob.start:
                self._write(knob, knob.start)

    def _end_lease(self, knob: Knob, lease: Lease) -> None:
        entry = self._entry(
            Request(
                id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"lease {lease.change}")),
                knob=knob.name,
                value=lease.back_to,
                who=lease.who,
                why=f"the lease of {lease.seconds:g} s ran out",
                cause="lease",
                undoes=lease.change,
            ),
            knob.read(),
        )
        failure = self._write(knob, lease.back_to)
        if failure:
            say_once(f"cannot end a lease yet ({failure})")
            return
        now = self._clock()
        entry["took_ms"] = (now - lease.ends) * 1000
        self._standing[knob.name] = Standing(entry=self.journal.add(entry))

    def _write(self, knob: Knob, value: Any) -> str:
        """Put a value in force between two steps. Returns what went wrong, or nothing."""
        if not self._lock.acquire(timeout=STEP_WAIT_S):
            return f"the engine's step did not end within {STEP_WAIT_S:g} s"
        try:
            return _apply(knob, value)
        finally:
            self._lock.release()

    def _entry(self, request: Request, value: Value | None) -> dict[str, Any]:
        return {
            "id": request.id,
            "ts_ms": int(self._wall() * 1000),
            "knob": request.knob,
            "from": value,
            "to": request.value,
            "cause": request.cause,
            "who": request.who,
            "why": request.why,
            "undoes": request.undoes,
            "outcome": "applied",
            "reason": "",
            "took_ms": None,
            "lease_s": request.lease_s,
        }


def _apply(knob: Knob, value: Any) -> str:
    previous_value: Any = knob.read()
    try:
        knob.write(value)
        if knob.read() == value:
            return ""
        failure = "the engine did not take the value"
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
    try:
        knob.write(previous_value)
    except Exception as error:
        failure += f"; nor could the value before be put back ({type(error).__name__})"
    return failure


def _lease(
    request: Request, entry: dict[str, Any], current: Lease | None, now: float
) -> Lease | None:
    if request.lease_s is None:
        return None
    back_to = entry["from"] if current is None else current.back_to
    return Lease(now + request.lease_s, back_to, request.id, request.who, request.lease_s)


def _due(standing: Standing) -> list[float]:
    if standing.held is not None:
        return [standing.held]
    return [standing.lease.ends] if standing.lease is not None else []
