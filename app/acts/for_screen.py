"""The acts as the screen calls them: by the engine's address, each blocking, in its own thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.acts.knobs import last_standing, set_one, take_back
from app.acts.snapshots import take_snapshot
from app.acts.swaps import order_for, supervised_name
from app.offers.offer import Offers, Wanted
from app.offers.weigher import offers_of
from app.settings.load import load_settings
from engines.discovery.api_keys import NO_KEY, ApiKeys
from engines.discovery.find import probe
from engines.discovery.local import handle_at
from engines.engine_info import EngineInfo
from engines.knob_handle import KnobHandle
from engines.recording.judging.lives import is_same_life
from engines.supervisor_client.client import (
    begin_swap,
    call_off,
    status,
    supervised_as,
    supervised_at,
)
from store.errors import NotAchieved
from store.ledger.connection import Ledger
from store.records import VARIANT, Change, KnobValue, RunInfo, RunRow
from store.tables.engines import find_engine


class LedgerActions:
    """`app.tui.acting.actions.Actions` over one ledger.

    Opens it anew for each act: a `Ledger` belongs to one thread, and the screen's threads come and
    go.
    """

    def __init__(self, db: Path, keys: ApiKeys = NO_KEY) -> None:
        self._db = db
        self._keys = keys

    def set_knob(self, shown: RunRow, knob: str, value: KnobValue) -> Change:
        """Change one knob; a refusal is the change's outcome."""
        engine = handle_shown(shown.info)
        with Ledger.open(self._db) as ledger:
            return set_one(ledger, engine, knob, value)

    def undo(self, shown: RunRow) -> Sequence[Change] | None:
        """Take back the last change of a knob, with those of the same command; None where a swap
        was done after it. Raises NotAchieved where there is nothing."""
        engine = handle_shown(shown.info)
        with Ledger.open(self._db) as ledger:
            last = last_standing(ledger, engine) if engine.sockets else None
            if last is not None and last.knob != VARIANT:
                return take_back(ledger, engine, last, "")
        life = engine.life
        name = supervised_as(life.pid)
        supervisor = None if name is None else status(name)
        if supervisor is None or supervisor.before is None:
            raise NotAchieved(f"There is no change of {life.name} to take back", life.reason)
        return None

    def offers(self, engine_url: str) -> Offers:
        """What the engine could be swapped to; raises NotAchieved where that cannot be seen."""
        engine = self._engine(engine_url)
        refusal = ""
        try:
            supervised_name(engine)
        except NotAchieved as error:
            refusal = str(error)
        with Ledger.open(self._db, readonly=True) as ledger:
            offers = offers_of(engine, load_settings(), ledger, with_before=True)
        return replace(offers, refusal=refusal)

    def swap(self, engine_url: str, wanted: Wanted) -> None:
        """Hand the swap to the supervisor; returns when it has begun."""
        begin_swap(supervised_at(engine_url), order_for(wanted, load_settings(), db=self._db))

    def call_off(self, engine_url: str) -> None:
        """Let the swap that runs go back; raises NotAchieved where none runs."""
        call_off(supervised_at(engine_url))

    def mark(self, engine_url: str, name: str, from_ms: int, to_ms: int) -> None:
        """Keep the window as the snapshot `name`, in place of an earlier one."""
        with Ledger.open(self._db) as ledger:
            row = find_engine(ledger, engine_url)
            if row is None:
                raise NotAchieved("Nothing has been recorded yet")
            take_snapshot(ledger, row.id, name, from_ms, to_ms, replace=True)

    def _engine(self, url: str) -> EngineInfo:
        return probe(url, self._keys.of(url))


def handle_shown(shown: RunInfo) -> KnobHandle:
    """The way to the knobs of the engine that this run tells of, found from /proc alone.

    Raises `NotAchieved` where another engine serves its address by now, or none does.
    """
    if shown.pid is None:  # no process of this machine
        return KnobHandle(shown)
    handle = handle_at(shown.url)
    if handle is None:
        raise NotAchieved(f"{shown.name} does not serve {shown.url} any more")
    if not is_same_life(shown, handle.life):
        raise NotAchieved(
            f"Another engine serves {shown.url} than the one shown",
            f"process {handle.life.pid} has taken over from {shown.pid}",
            "it is shown as soon as it has been read",
        )
    return handle
