"""Naming a window of the ledger, with the configuration in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.acts.audit import describe
from store.clock import now_ms
from store.errors import NotAchieved
from store.tables.changes import SETTLE_MS, list_changes

if TYPE_CHECKING:
    from store.ledger.connection import Ledger
    from store.tables.snapshots import Snapshot


@dataclass(frozen=True)
class Taken:
    """A snapshot as it was saved, and whether its window had to be cut (why), empty if not."""

    snapshot: Snapshot
    cut: str


def take_snapshot(
    ledger: Ledger,
    engine_id: int,
    name: str,
    from_ms: int,
    to_ms: int,
    *,
    note: str = "",
    replace: bool = False,
) -> Taken:
    """Save the window [from_ms, to_ms] under `name` with the configuration in force at its end.

    The window never reaches back over the last applied change and `SETTLE_MS` after it: it is cut
    there. Raises NotAchieved where nothing was recorded in it, BadInput where the name is taken.
    """
    from store.records import Event
    from store.tables import events
    from store.tables.snapshots import Snapshot, save
    from store.windows.window import read_window

    cut_ms, cut = _after_last_change(ledger, engine_id, from_ms, to_ms)
    window = read_window(ledger, engine_id, cut_ms, to_ms) if cut_ms < to_ms else None
    if window is None:
        raise NotAchieved(
            "Nothing was recorded in that window",
            cut,
            "trimtab record records in the background; --for 60s records right now",
        )
    made = Snapshot(
        name=name,
        engine_id=engine_id,
        from_ms=window.from_ms,
        to_ms=window.to_ms,
        made_ms=now_ms(),
        configuration=configuration(ledger, engine_id, to_ms),
        note=note,
    )
    save(ledger, made, replace=replace)
    seconds = (made.to_ms - made.from_ms) / 1000
    text = f"{name}: {seconds:.0f} s up to here"
    events.add(ledger, engine_id, Event(made.made_ms, "snapshot", text))
    return Taken(made, cut)


def configuration(ledger: Ledger, engine_id: int, at_ms: int) -> dict[str, object]:
    """What was in force: the model, the version, the launch arguments and each knob's value."""
    from store.tables import knobs
    from store.tables.runs import latest_run

    run = latest_run(ledger, engine_id)
    if run is None:
        return {}
    states = knobs.current(ledger, run.id, at_ms)
    return {
        "model": run.info.model,
        "vllm_version": run.info.vllm_version,
        "arguments": list(run.info.arguments),
        "knobs": {state.name: state.value for state in states},
    }


def _after_last_change(ledger: Ledger, engine_id: int, from_ms: int, to_ms: int) -> tuple[int, str]:
    for change in list_changes(ledger, engine_id, from_ms=from_ms - SETTLE_MS, to_ms=to_ms):
        settled = change.ts_ms + SETTLE_MS
        if (change.took_effect or change.outcome == "put back") and settled > from_ms:
            return settled, f"The window starts after the change {describe(change)}"
    return from_ms, ""
