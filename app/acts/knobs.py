"""Changing knobs: all of a command or none, checked before the first is sent."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.acts.audit import keep, who
from engines.recording.current_run import run_of
from store.errors import NotAchieved, TrimtabError
from store.records import Change, KnobValue, format_value

if TYPE_CHECKING:
    from engines.knob_handle import KnobHandle
    from store.ledger.connection import Ledger


def set_knobs(
    ledger: Ledger,
    engine: KnobHandle,
    wanted: Sequence[tuple[str, KnobValue]],
    *,
    why: str = "",
    lease_s: float | None = None,
) -> list[Change]:
    """Set several knobs, all or none; returns the applied changes, in order.

    All are checked against the engine's own bounds before the first is sent. Where one is refused
    those before it are put back. Every attempt is a row in the ledger. Raises BadInput for a value
    out of bounds, NotAchieved for what cannot change live or was refused.
    """
    from engines.control.knobs import check_value, read_knobs

    states = read_knobs(control_of(engine))
    for name, value in wanted:
        check_value(states, name, value)
    run_id = run_of(ledger, engine.life)
    act = str(uuid.uuid4()) if len(wanted) > 1 else ""
    done: list[Change] = []
    for name, value in wanted:
        try:
            change = set_one(ledger, engine, name, value, why=why, lease_s=lease_s, act=act)
        except TrimtabError as error:
            error.remedy = _put_back(ledger, run_id, engine, done) or error.remedy
            raise
        if change.outcome != "applied":
            raise _refused(change, _put_back(ledger, run_id, engine, done))
        done.append(change)
    return done


def set_one(
    ledger: Ledger,
    engine: KnobHandle,
    name: str,
    value: KnobValue,
    *,
    why: str = "",
    lease_s: float | None = None,
    act: str = "",
) -> Change:
    """Set one knob and keep its row; a refusal is the outcome of the change returned. Those of one
    command have the same `act`."""
    from engines.control.knobs import set_knob

    sockets = control_of(engine)
    run_id = run_of(ledger, engine.life)
    change = set_knob(sockets, name, value, who=who(), why=why, lease_s=lease_s)
    return keep(ledger, run_id, engine, replace(change, act=act))


def last_standing(ledger: Ledger, engine: KnobHandle) -> Change | None:
    """The newest applied change of this run that nobody has taken back."""
    from engines.control.knobs import read_journal
    from engines.recording.ledger_writes import record_changes
    from store.tables.changes import last_undoable
    from store.tables.engines import find_engine

    run_id = run_of(ledger, engine.life)
    row = find_engine(ledger, engine.life.url)
    if row is not None:
        # Without a recorder nobody else tells the ledger of a lease that ran out.
        record_changes(ledger, row.id, run_id, read_journal(control_of(engine), {}))
    return last_undoable(ledger, run_id)


def take_back(ledger: Ledger, engine: KnobHandle, last: Change, why: str) -> list[Change]:
    """Give the knobs that were set together with `last` the values that they had before, as far as
    they still stand; raises NotAchieved where one is refused."""
    from store.tables.changes import undoable_with

    run_id = run_of(ledger, engine.life)
    standing = undoable_with(ledger, run_id, last)
    act = str(uuid.uuid4()) if len(standing) > 1 else ""
    done: list[Change] = []
    for change in standing:
        back = _restore(ledger, run_id, engine, change, why, act=act)
        if back.outcome != "applied":
            raise _refused(back, "")
        done.append(back)
    return done


def control_of(engine: KnobHandle) -> Sequence[Path]:
    """The sockets that change this engine's knobs; without any raises NotAchieved with the way."""
    from engines.serving.names import is_name
    from engines.supervisor_client.client import is_supervised

    if engine.life.control == "live" and engine.sockets:
        return engine.sockets
    if is_name(engine.life.name) and is_supervised(engine.life.name):
        raise NotAchieved(
            f"{engine.life.name} cannot be changed live now",
            engine.life.reason,
            "its supervisor is at it: wait until it serves (trimtab engines)",
        )
    raise NotAchieved(
        f"{engine.life.name} cannot be changed live",
        engine.life.reason,
        f"trimtab adopt {engine.life.name} starts it again with its knobs, and no connection is "
        "refused meanwhile; trimtab doctor shows the line that gives it them at its next start",
    )


def _restore(
    ledger: Ledger, run_id: int, engine: KnobHandle, last: Change, why: str, *, act: str = ""
) -> Change:
    from engines.control.knobs import set_knob

    assert isinstance(last.from_value, int)  # True and False are, too
    change = set_knob(
        engine.sockets,
        last.knob,
        last.from_value,
        who=who(),
        why=why,
        cause="undo",
        undoes=last.id,
    )
    return keep(ledger, run_id, engine, replace(change, act=act))


def _put_back(ledger: Ledger, run_id: int, engine: KnobHandle, done: Sequence[Change]) -> str:
    """Take back what was set before another knob of the same command was refused; in words."""
    why = "another knob of the same command was refused"
    left: list[str] = []
    for change in reversed(done):
        if change.from_value is None:
            continue
        try:
            back = _restore(ledger, run_id, engine, change, why)
        except TrimtabError as error:
            left.append(f"{change.knob} stays {format_value(change.to_value)} ({error.what})")
            continue
        if back.outcome != "applied":
            left.append(f"{change.knob} stays {format_value(change.to_value)} ({back.reason})")
    if left:
        return f"What was set before it could not all be taken back: {'; '.join(left)}"
    return "The knobs set before it are back where they were" if done else ""


def _refused(change: Change, remedy: str) -> NotAchieved:
    stays = f"{change.knob} stays {format_value(change.from_value)}: {change.outcome}"
    return NotAchieved(stays, change.reason, remedy)
