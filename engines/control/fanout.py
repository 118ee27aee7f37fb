"""One change on every EngineCore of an engine, or on none; and their journals as one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from engines.control.client import HOLD_S, PluginClient
from engines.control.wire import ControlLost, ControlRefused
from store.records import Change, KnobValue, Outcome, format_value


def set_knob(
    sockets: Sequence[Path],
    name: str,
    value: KnobValue,
    *,
    who: str,
    why: str = "",
    cause: Literal["set", "undo"] = "set",
    lease_s: float | None = None,
    undoes: str | None = None,
) -> Change:
    """Change a knob on every EngineCore or on none. Refusals are no errors: `outcome` tells them.

    Each EngineCore applies the value and holds it; when all have, each is told to let it stand. If
    one refuses or does not answer, those which took it put it back (outcome `put back`); they do so
    by themselves if this program ends in between.
    """
    change = Change(
        id=str(uuid.uuid4()),
        ts_ms=int(time.time() * 1000),
        knob=name,
        from_value=None,
        to_value=value,
        outcome="failed",
        cause=cause,
        who=who[:128] or "unknown",
        why=why[:400],
        lease_s=lease_s,
        undoes=undoes,
    )
    if not sockets:
        return replace(change, reason="this engine has no control socket")
    clients = [PluginClient(path) for path in sockets]
    hold_answers = _attempt_all(change, clients, lambda engine: engine.set(change, hold=True))
    if not _all_applied(hold_answers):
        return merge_changes(_give_up(change, clients, hold_answers))
    confirm_answers = _attempt_all(change, clients, lambda engine: engine.confirm(change.id))
    if not _all_applied(confirm_answers):
        return merge_changes(_give_up(change, clients, confirm_answers))
    return merge_changes(confirm_answers)


def read_journal(sockets: Sequence[Path], since: MutableMapping[Path, int]) -> list[Change]:
    """Changes that the EngineCores made after the numbers in `since`, oldest first.

    `since` is brought up to date, so the next call gives only what is new; an empty one brings all
    that the engine remembers (256). A socket that does not answer is left out this time.
    """
    by_id: dict[str, dict[Path, Change]] = {}
    for path in sockets:
        try:
            since[path], changes = PluginClient(path).journal(since.get(path, 0))
        except (ControlLost, ControlRefused):
            continue
        for change in changes:
            by_id.setdefault(change.id, {})[path] = change
    merged = [merge_changes(list(changes.values())) for changes in by_id.values()]
    return sorted(merged, key=lambda change: change.ts_ms)


def merge_changes(changes: Sequence[Change]) -> Change:
    """What the EngineCores say of one change, as one. It took as long as the slowest."""
    reasons = dict.fromkeys(change.reason for change in changes if change.reason)
    before = dict.fromkeys(
        format_value(change.from_value) for change in changes if change.from_value is not None
    )
    if len(before) > 1:
        reasons[f"engines differed before: {', '.join(before)}"] = None
    return replace(
        changes[0],
        ts_ms=max(change.ts_ms for change in changes),
        from_value=next(
            (change.from_value for change in changes if change.from_value is not None), None
        ),
        outcome=_merge_outcomes({change.outcome for change in changes}),
        reason="; ".join(reasons),
        took_ms=max(
            (change.took_ms for change in changes if change.took_ms is not None), default=None
        ),
        per_engine={
            label: outcome for change in changes for label, outcome in change.per_engine.items()
        },
    )


def _merge_outcomes(outcomes: set[Outcome]) -> Outcome:
    """All alike, or the worst of them; a value that stands on some engines only is a failure."""
    if len(outcomes) == 1:
        return next(iter(outcomes))
    if "put back" in outcomes and "applied" not in outcomes:
        return "put back"
    return "failed"


def _all_applied(changes: Sequence[Change]) -> bool:
    return all(change.outcome == "applied" for change in changes)


def _attempt_all(
    change: Change, clients: Sequence[PluginClient], act: Callable[[PluginClient], Change]
) -> list[Change]:
    """What the EngineCores answer, asked at once: each waits for the end of its own step, and what
    one holds falls back while others are still being asked."""
    if len(clients) == 1:
        return [_attempt(change, clients[0], act)]
    with ThreadPoolExecutor(len(clients)) as beside:
        return list(beside.map(lambda client: _attempt(change, client, act), clients))


def _attempt(change: Change, client: PluginClient, act: Callable[[PluginClient], Change]) -> Change:
    """What one EngineCore answers; an error becomes an outcome."""
    try:
        return act(client)
    except ControlRefused as error:
        outcome: Outcome = "refused"
        reason = error.what
    except ControlLost as error:
        outcome, reason = "failed", error.meaning or error.what
    label = f"process {client.path.stem}"
    return replace(
        change, outcome=outcome, reason=f"{label}: {reason}", per_engine={label: outcome}
    )


def _give_up(
    change: Change, clients: Sequence[PluginClient], answers: Sequence[Change]
) -> list[Change]:
    """Take the value back where it was taken, or may have been by one that did not answer."""
    final_answers = []
    for client, answer in zip(clients, answers, strict=True):
        if answer.outcome == "refused" or (answer.outcome == "failed" and answer.took_ms):
            final_answers.append(answer)
            continue
        put_back = _attempt(
            change, client, lambda engine: engine.put_back(change.id, "not taken everywhere")
        )
        if put_back.outcome == "put back":
            final_answers.append(put_back)
        elif answer.outcome == "failed":
            final_answers.append(answer)
        else:
            reason = f"{put_back.reason}; held values fall back by themselves in {HOLD_S:g} s"
            final_answers.append(replace(put_back, outcome="failed", reason=reason))
    return final_answers
