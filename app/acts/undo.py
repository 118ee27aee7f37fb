"""Taking back the last thing done to an engine: a knob's change or a swap, whichever is newer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.acts.audit import who
from app.acts.knobs import last_standing, take_back
from engines.supervisor_client.client import call_off, follow_swap, status, supervised_as, swap
from store.clock import now_ms
from store.errors import NotAchieved
from store.records import VARIANT, Change, format_value
from store.reports.outcomes import DONE, RUNNING

if TYPE_CHECKING:
    from engines.knob_handle import KnobHandle
    from engines.supervisor_client.status import SupervisorStatus
    from engines.variants.strategy import Strategy
    from store.ledger.connection import Ledger

Steps = Callable[[str, str], None]


def undo(
    ledger: Ledger,
    engine: KnobHandle,
    *,
    why: str = "",
    strategy: Strategy = "auto",
    on_step: Steps = lambda *_: None,
) -> list[Change]:
    """Take back the last applied change that still stands, with those of the same command; called
    again, the one before.

    A swap that runs is called off (`put back`); one that is done is taken back by another swap,
    whose steps go to `on_step`. Raises `NotAchieved` where there is nothing to take back, or it did
    not hold.
    """
    name = supervised_as(engine.life.pid)
    supervisor = None if name is None else status(name)
    if name is not None and supervisor is not None:
        running = supervisor.swap
        if running is not None and running.outcome == RUNNING:
            return [_call_off(name, supervisor.variant, running.id, on_step)]
    last = last_standing(ledger, engine) if engine.sockets else None
    if last is not None and last.knob != VARIANT:
        if last.who not in ("", who()):
            on_step("undo", f"this takes back what {last.who} did")
        return take_back(ledger, engine, last, why)
    if name is not None and supervisor is not None and supervisor.before is not None:
        return [_swap_back(ledger, name, supervisor, on_step, why=why, strategy=strategy)]
    if last is not None:
        raise NotAchieved(
            f"The swap {format_value(last.from_value)} -> {format_value(last.to_value)} cannot be "
            "taken back",
            "the supervisor that knew the command before is gone",
            "trimtab swap goes to any of trimtab variants",
        )
    raise NotAchieved(f"There is no change of {engine.life.name} to take back")


def _call_off(name: str, serves: str, swap_id: str, on_step: Steps) -> Change:
    """`serves` is the variant that serves meanwhile."""
    call_off(name)
    report = follow_swap(name, swap_id, on_step)
    if report.outcome == DONE:
        raise NotAchieved(
            f"the swap to {report.variant} was not called off",
            "it had taken over already",
            "trimtab undo takes it back",
        )
    return Change(
        id=report.id,
        ts_ms=now_ms(),
        knob=VARIANT,
        from_value=serves,
        to_value=report.variant,
        outcome="put back",
        cause="undo",
        who="",
        reason=report.reason,
        took_ms=None if report.took_s is None else 1000 * report.took_s,
    )


def _swap_back(
    ledger: Ledger,
    name: str,
    supervisor: SupervisorStatus,
    on_step: Steps,
    *,
    why: str,
    strategy: Strategy,
) -> Change:
    from app.acts.swaps import order_back
    from app.settings.load import load_settings
    from store.tables.changes import get_change

    order = order_back(supervisor, load_settings(), why=why, strategy=strategy, db=ledger.path)
    report = swap(name, order, on_step)
    if report.outcome != DONE:
        raise NotAchieved(f"{name} stays as it is", report.reason)
    change = get_change(ledger, order.id)
    if change is None:
        raise NotAchieved(
            f"{name} went back to {report.variant}, which the ledger does not show",
            f"its supervisor could not write {ledger.path}",
        )
    return change
