"""The acts as the screen calls them: by the engine's address, each blocking, in its own thread."""

from __future__ import annotations

from pathlib import Path

from app.acts.knobs import set_one
from app.acts.snapshots import take_snapshot
from app.acts.undo import undo
from engines.discovery import EngineInfo, probe
from store.engines import find_engine
from store.errors import NotAchieved
from store.ledger import Ledger
from store.records import Change, KnobValue


class LedgerActions:
    """`app.tui.actions.Actions` over one ledger. Opens it anew for each act: a `Ledger` belongs to
    one thread, and the screen's threads come and go."""

    def __init__(self, db: Path, api_key: str | None = None) -> None:
        self._db = db
        self._api_key = api_key

    def set_knob(self, engine_url: str, knob: str, value: KnobValue) -> Change:
        """Change one knob; a refusal is the change's outcome."""
        engine = self._engine(engine_url)
        with Ledger.open(self._db) as ledger:
            return set_one(ledger, engine, knob, value)

    def undo(self, engine_url: str) -> Change:
        """Take back the last change; raises NotAchieved where there is none."""
        engine = self._engine(engine_url)
        with Ledger.open(self._db) as ledger:
            return undo(ledger, engine)

    def mark(self, engine_url: str, name: str, from_ms: int, to_ms: int) -> None:
        """Keep the window as the snapshot `name`, in place of an earlier one."""
        with Ledger.open(self._db) as ledger:
            row = find_engine(ledger, engine_url)
            if row is None:
                raise NotAchieved("Nothing has been recorded yet")
            take_snapshot(ledger, row.id, name, from_ms, to_ms, replace=True)

    def _engine(self, url: str) -> EngineInfo:
        return probe(url, self._api_key)
