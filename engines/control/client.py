"""Client of the private socket that `trimtab_inside` opens in each EngineCore process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from engines.control.channel import DEADLINE_S, Channel
from engines.control.wire import (
    items,
    knob_value,
    record,
    strange,
    text,
    whole,
)
from store.records import Cause, Change, KnobState, Outcome
from store.reports.fields import a_count, a_number

HOLD_S = 3.0
"""For how long an engine keeps a change that nobody confirms."""
MOST_KNOBS = 100
"""More than any engine has."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who answers on a socket. `engine` labels the EngineCore, `seq` numbers its last change."""

    protocol: int
    pid: int
    vllm_version: str
    engine: str
    dp_rank: int
    scheduler: str
    seq: int


class PluginClient:
    """Speaks to one EngineCore. Each call is one connection and has one total deadline (seconds).

    Every method raises ControlLost where no sound answer came, ControlRefused where it was no.
    """

    def __init__(self, path: Path, *, deadline_s: float = DEADLINE_S) -> None:
        self.path = path
        self._channel = Channel(path, deadline_s)

    def hello(self) -> Hello:
        """Who is there. Any protocol version answers this."""
        reply = self._channel.ask({"op": "hello"})
        return Hello(
            protocol=whole(reply, "protocol"),
            pid=whole(reply, "pid"),
            vllm_version=text(reply, "vllm_version"),
            engine=text(reply, "engine"),
            dp_rank=whole(reply, "dp_rank"),
            scheduler=text(reply, "scheduler"),
            seq=whole(reply, "seq"),
        )

    def knobs(self) -> list[KnobState]:
        """Every knob as this engine has it now; raises as for any other strange answer where there
        are more than an engine has."""
        told = items(self._channel.ask({"op": "knobs"}), "knobs")
        if len(told) > MOST_KNOBS:
            raise strange("knobs")
        return [_knob_state(record(item)) for item in told]

    def set(self, change: Change, *, hold: bool = False) -> Change:
        """Apply `change.to_value` between two steps; the answer's outcome says whether it took.

        With `hold` the engine puts the value back by itself unless `confirm` follows in `HOLD_S`.
        """
        return self._change(
            {
                "op": "set",
                "id": change.id,
                "knob": change.knob,
                "value": change.to_value,
                "who": change.who,
                "why": change.why,
                "cause": change.cause,
                "lease_s": change.lease_s,
                "undoes": change.undoes,
                "hold": hold,
            }
        )

    def confirm(self, change_id: str) -> Change:
        """Let a held change stand."""
        return self._change({"op": "confirm", "id": change_id})

    def put_back(self, change_id: str, why: str) -> Change:
        """Undo a change as if it had not been, unless its knob was changed again since."""
        return self._change({"op": "put_back", "id": change_id, "why": why})

    def journal(self, since: int = 0) -> tuple[int, list[Change]]:
        """The number of the last change, and the changes after `since`, oldest first."""
        reply = self._channel.ask({"op": "journal", "since": since})
        label = text(reply, "engine")
        entries = [_change(record(item), label) for item in items(reply, "entries")]
        return whole(reply, "seq"), entries

    def _change(self, message: Mapping[str, Any]) -> Change:
        reply = self._channel.ask(message)
        return _change(record(reply.get("change")), text(reply, "engine"))


def _knob_state(item: Mapping[str, Any]) -> KnobState:
    return KnobState(
        name=text(item, "name"),
        kind="live" if item.get("kind") == "live" else "swap",
        value=knob_value(item.get("value")),
        start=knob_value(item.get("start")),
        minimum=a_count(item.get("minimum")),
        maximum=a_count(item.get("maximum")),
        reason=text(item, "reason"),
        lease_left_s=a_number(item.get("lease_left_s")),
        lease_back_to=knob_value(item.get("lease_back_to")),
    )


def _change(item: Mapping[str, Any], label: str) -> Change:
    outcome, cause = item.get("outcome"), item.get("cause")
    if outcome not in get_args(Outcome) or cause not in get_args(Cause):
        raise strange("outcome")
    return Change(
        id=text(item, "id"),
        ts_ms=whole(item, "ts_ms"),
        knob=text(item, "knob"),
        from_value=knob_value(item.get("from")),
        to_value=knob_value(item.get("to")),
        outcome=cast(Outcome, outcome),
        cause=cast(Cause, cause),
        who=text(item, "who"),
        why=text(item, "why"),
        reason=text(item, "reason"),
        took_ms=a_number(item.get("took_ms")),
        lease_s=a_number(item.get("lease_s")),
        undoes=None if item.get("undoes") is None else text(item, "undoes"),
        per_engine={label: cast(str, outcome)},
    )
