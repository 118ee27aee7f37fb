"""What must follow in each cell, as it is checked and as it is written down."""

from __future__ import annotations

from dataclasses import dataclass

from tests.crossings.acts import Act
from tests.crossings.faults import Fault


@dataclass(frozen=True)
class Promise:
    """`all_answered`: no request was refused, left or cut; `none_cut`: no answer that had begun
    broke off."""

    engine: str
    all_answered: bool
    none_cut: bool
    ledger_true: bool

    @property
    def words(self) -> str:
        requests = "all answered" if self.all_answered else "none cut" if self.none_cut else "-"
        ledger = "ledger true" if self.ledger_true else "ledger anew"
        return ", ".join((self.engine, f"requests {requests}", ledger))


def promise(act: Act, fault: Fault) -> Promise:
    """What the design promises here."""
    engine = "serves"
    if fault.ends_supervision:
        engine = "serves after adopt" if not act.closes else "serves after adopt or serve"
    if act.stops:
        engine = "stopped"
    if fault.ends_engine or (act.name == "adopt" and fault.name == "SIGKILL of the new engine"):
        return Promise(engine, False, act.moves and act.closes, not fault.loses_ledger)
    if fault.stalls_engine and (act.moves or act.stops):
        # It answers nothing within its drain, and is ended then.
        return Promise(engine, False, False, True)
    queue_lost = fault.ends_supervision and act.closes
    return Promise(engine, not act.stops and not queue_lost, True, not fault.loses_ledger)
