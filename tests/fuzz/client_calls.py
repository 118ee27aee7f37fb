"""What our clients can be asked, and what becomes of the answers: a ledger's rows, or JSON."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from random import Random

from app.text.output import print_json
from engines.control.api_front import Front
from engines.control.client import PluginClient
from engines.control.fanout import read_journal, set_knob
from engines.control.knobs import read_knobs
from engines.recording.ledger_writes import record_changes
from engines.supervisor_client import client as supervisor
from engines.supervisor_client.status import SupervisorStatus
from engines.supervisor_client.swap_order import Order
from store.ledger.connection import Ledger
from store.records import Change, KnobState, RunInfo
from store.tables import knobs
from store.tables.engines import upsert_engine
from store.tables.runs import open_run
from tests.fuzz.sound_answers import SWAP_ID

NAME = "fuzz"
"""Of the supervised engine."""
SHORT_S = 0.25
"""The deadline where a client takes one."""


@dataclass(frozen=True)
class Call:
    """Something asked of a client; `asks` is how often it may wait for a whole deadline."""

    act: Callable[[Random], object]
    asks: int = 1


class _TakenBack(Exception):
    """It could be written."""


class Kept:
    """A ledger with a run, for what the clients bring."""

    def __init__(self, db: Path) -> None:
        self._ledger = Ledger.open(db)
        self._engine_id = upsert_engine(self._ledger, "http://h:1", NAME)
        self._run_id = open_run(self._ledger, self._engine_id, RunInfo("http://h:1", NAME), 1)

    def changes(self, told: Sequence[Change]) -> None:
        """As a recorder keeps a journal."""
        with self._tried():
            record_changes(self._ledger, self._engine_id, self._run_id, told)

    def knobs(self, told: Sequence[KnobState]) -> None:
        """As a recorder keeps states."""
        with self._tried():
            knobs.record(self._ledger, self._run_id, 1, told)

    def status(self, told: SupervisorStatus | None) -> None:
        """As a command prints it."""
        if told is not None:
            with redirect_stdout(TextIOWrapper(BytesIO(), "utf-8")):
                print_json(told.to_json())

    @contextmanager
    def _tried(self) -> Iterator[None]:
        """What is written within is taken back: the disk would take most of the time."""
        with suppress(_TakenBack), self._ledger.transaction():
            yield
            raise _TakenBack

    def close(self) -> None:
        """Close it."""
        self._ledger.close()


def plugin_calls(path: Path, kept: Kept) -> tuple[Call, ...]:
    """Those of the plugin's client, and of what is made from it."""
    client = PluginClient(path, deadline_s=SHORT_S)
    paths = [path, path]
    return (
        Call(lambda _: client.hello()),
        Call(lambda _: kept.knobs(client.knobs())),
        Call(lambda _: kept.knobs(read_knobs(paths)), 2 * _FULL),
        Call(lambda chance: kept.changes([client.set(_change(chance), hold=True)])),
        Call(lambda chance: kept.changes([client.confirm(_change(chance).id)])),
        Call(lambda chance: kept.changes([client.put_back(_change(chance).id, "why")])),
        Call(lambda chance: kept.changes(client.journal(chance.randint(0, 99))[1])),
        Call(lambda _: kept.changes(read_journal(paths, {})), 2 * _FULL),
        Call(
            lambda chance: kept.changes(
                [set_knob(paths, "max_num_seqs", chance.randint(0, 40), who="me", lease_s=0.01)]
            ),
            6 * _FULL,
        ),
    )


_FULL = 8
"""The usual deadline, in short ones."""


def front_calls(path: Path, kept: Kept) -> tuple[Call, ...]:
    """Those of the front's client."""
    return (
        Call(lambda _: Front(path).http_path(), _FULL),
        Call(lambda _: Front(path).state(), _FULL),
        Call(lambda _: Front(path).open(), _FULL),
        Call(lambda _: Front(path).close(), _FULL),
        Call(lambda _: _use_listener(Front(path)), _FULL),
        Call(lambda _: _use_listener(Front(path)), _FULL),
    )


def _use_listener(front: Front) -> None:
    """As the next supervisor uses what it is given."""
    with front.listener() as listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), "no listener"
        listener.getsockname()


def supervisor_calls(path: Path, kept: Kept) -> tuple[Call, ...]:
    """Those of the supervisor's client."""
    del path  # it is found by its name
    order = Order(SWAP_ID, None)
    return (
        Call(lambda _: kept.status(supervisor.status(NAME)), _FULL),
        Call(lambda _: kept.status(supervisor.status(NAME)), _FULL),
        Call(lambda _: supervisor.begin_swap(NAME, order), 3 * _FULL),
        Call(lambda _: supervisor.call_off(NAME), _FULL),
        Call(lambda _: supervisor.follow_swap(NAME, SWAP_ID, lambda *_: None), 6 * _FULL),
        Call(lambda _: supervisor.stop(NAME, drain_s=0.1), 6 * _FULL),
    )


def _change(chance: Random) -> Change:
    value = chance.randint(0, 40)
    name = f"change-{chance.randrange(99)}"
    return Change(name, 0, "max_num_seqs", None, value, "failed", "set", "me", lease_s=0.01)
