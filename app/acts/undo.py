"""Taking back the last thing done to an engine: a knob's change or a swap, whichever is newer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.acts.knobs import last_standing, take_back
from engines.supervision.client import call_off, follow_swap, status, supervised_as, swap
from store.clock import now_ms
from store.errors import NotAchieved
from store.records import VARIANT, Change, format_value

if TYPE_CHECKING:
    from engines.handle import Handle
    from engines.variants.strategy import Strategy
    from store.ledger.connection import Ledger

Steps = Callable[[str, str], None]


def undo(
    ledger: Ledger,
    engine: Handle,
    *,
    why: str = "",
    strategy: Strategy = "auto",
    on_step: Steps = lambda *_: None,
) -> Change:
    """Take back the last applied change that still stands; called again, the one before.

    A swap that runs is called off (`put back`); one that is done is taken back by another swap,
    whose steps go to `on_step`. Raises `NotAchieved` where there is nothing to take back, or it did
    not hold.
    """
    name = supervised_as(engine.life.pid)
    told = None if name is None else status(name)
    if name is not None and told is not None and _runs(told["swap"]):
        return _call_off(name, told, on_step)
    last = last_standing(ledger, engine) if engine.sockets else None
    if last is not None and last.knob != VARIANT:
        return take_back(ledger, engine, last, why)
    if name is not None and told is not None and told["before"] is not None:
        return _swap_back(ledger, name, why, strategy, on_step)
    if last is not None:
        raise NotAchieved(
            f"The swap {format_value(last.from_value)} -> {format_value(last.to_value)} cannot be "
            "taken back",
            "the supervisor that knew the command before is gone",
            "trimtab swap goes to any of trimtab variants",
        )
    raise NotAchieved(f"There is no change of {engine.life.name} to take back")


def _runs(found: Any) -> bool:
    return isinstance(found, dict) and found["outcome"] == "running"


def _call_off(name: str, told: dict[str, Any], on_step: Steps) -> Change:
    call_off(name)
    result = follow_swap(name, str(told["swap"]["id"]), on_step)
    if result["outcome"] == "done":
        raise NotAchieved(
            f"the swap to {result['variant']} was not called off",
            "it had taken over already",
            "trimtab undo takes it back",
        )
    return Change(
        id=str(result["id"]),
        ts_ms=now_ms(),
        knob=VARIANT,
        from_value=str(told["variant"]),
        to_value=str(result["variant"]),
        outcome="put back",
        cause="undo",
        who="",
        reason=str(result["reason"]),
        took_ms=1000 * float(result["took_s"]),
    )


def _swap_back(ledger: Ledger, name: str, why: str, strategy: Strategy, on_step: Steps) -> Change:
    from app.acts.swaps import order_for
    from app.settings.load import load_settings
    from store.tables.changes import get_change

    order = order_for(None, load_settings(), why=why, strategy=strategy, db=ledger.path)
    result = swap(name, order, on_step)
    if result["outcome"] != "done":
        raise NotAchieved(f"{name} stays as it is", str(result["reason"]))
    change = get_change(ledger, order.id)
    if change is None:
        raise NotAchieved(
            f"{name} went back to {result['variant']}, which the ledger does not show",
            f"its supervisor could not write {ledger.path}",
        )
    return change
