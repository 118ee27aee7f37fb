"""Which engine a command means: found on this machine, given by address, or known to the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.commands import looks_like_address
from app.cli.shared.options import read_ledger
from store.errors import BadInput, EngineUnreachable, NotAchieved

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo
    from engines.held_gpus import StatedGpus
    from engines.knob_handle import KnobHandle
    from store.ledger.connection import Ledger
    from store.records import EngineRow

_UNNAMED = "nothing is sent to a stranger's unless you name it so"
_START_ONE = "trimtab serve MODEL starts one; --engine http://host:8000 names one elsewhere"


def live_engine(chosen: str | None, api_key: str | None) -> EngineInfo:
    """The one engine to act on.

    `chosen` is a name or an address; without it the only one of our own user's is meant. Raises
    EngineUnreachable where none answers and BadInput, listing them, where several could be meant.
    """
    if chosen:
        return chosen_engines([chosen], api_key)[0]
    return _only_one(_own_engines())


def chosen_engines(
    words: Sequence[str], api_key: str | None, stated: StatedGpus | None = None
) -> list[EngineInfo]:
    """The engines of these names and addresses, in their order; `stated` are the GPUs that a person
    says they hold. Raises as `live_engine` does.

    The machine is looked over once, and for names only.
    """
    from engines.discovery.find import find_engines, probe
    from engines.held_gpus import NOTHING_STATED
    from engines.web.address import normalise

    stated = stated or NOTHING_STATED
    found = [] if all(map(looks_like_address, words)) else find_engines(stated=stated)
    return [
        probe(normalise(word), api_key, stated=stated)
        if looks_like_address(word)
        else _named(word, found)
        for word in words
    ]


def _named(name: str, engines: Sequence[EngineInfo]) -> EngineInfo:
    fitting = [engine for engine in engines if engine.name == name]
    if not fitting:
        raise _under_way(name) or unknown_name(name, engines)
    return _only_one(fitting)


def _under_way(name: str) -> NotAchieved | None:
    """What to raise for an engine that a supervisor has just now between two lives."""
    from engines.serving.names import is_name
    from engines.supervisor_client.client import status

    supervisor = status(name) if is_name(name) else None
    if supervisor is None:
        return None
    return NotAchieved(
        f"{name} is {supervisor.state} now",
        "its supervisor is at it, and no engine of that name can be asked",
        "trimtab engines tells when it serves again",
    )


def require_one_meant(stated: StatedGpus, engines: Sequence[EngineInfo]) -> None:
    """Raise BadInput where GPUs were given without saying whose they are, and several are meant."""
    if "" in stated.by_engine and len(engines) > 1:
        raise BadInput(
            f"--gpus {stated.by_engine['']} could be of several engines",
            f"There are: {_places(engines)}",
            f"Say whose: --gpus {engines[0].name}={stated.by_engine['']}",
        )


def _only_one(fitting: Sequence[EngineInfo]) -> EngineInfo:
    if len(fitting) == 1:
        return fitting[0]
    raise BadInput(
        "Several engines could be meant",
        f"There are: {_places(fitting)}",
        "Choose one with --engine",
    )


def unknown_name(name: str, engines: Sequence[EngineInfo]) -> BadInput:
    """What to raise where no engine of this machine is called so."""
    there = f"There are: {_places(engines)}" if engines else "None runs on this machine"
    return BadInput(f"No engine is called {name!r}", there, "" if engines else _START_ONE)


def _only_strangers(engines: Sequence[EngineInfo]) -> EngineUnreachable:
    users = ", ".join(dict.fromkeys(engine.user for engine in engines))
    return EngineUnreachable(
        f"Only engines of other users run on this machine ({users})",
        f"There are: {_places(engines)}",
        f"Give the address of one: {_UNNAMED}",
    )


def _places(engines: Sequence[EngineInfo]) -> str:
    return ", ".join(f"{engine.name} ({engine.url})" for engine in engines)


def engine_to_turn(chosen: str | None, api_key: str | None) -> KnobHandle:
    """The one engine whose knobs are meant, as `live_engine` chooses it.

    One of this machine with trimtab's plugin is found without HTTP, which it may be too busy to
    answer; any other is asked. Raises as `live_engine` does.
    """
    from engines.discovery.local import handle_at, handle_of
    from engines.web.address import normalise

    if chosen and looks_like_address(chosen):
        handle = handle_at(normalise(chosen))
    else:
        handle = handle_of(chosen or None)
    if handle is not None and handle.sockets:
        return handle
    return _only_one(live_engines([chosen] if chosen else (), api_key)).handle()


def all_engines(stated: StatedGpus | None = None) -> list[EngineInfo]:
    """Every engine of this machine, also those of other users; raises EngineUnreachable where there
    is none."""
    from engines.discovery.find import find_engines
    from engines.held_gpus import NOTHING_STATED

    engines = find_engines(stated=stated or NOTHING_STATED)
    if not engines:
        raise EngineUnreachable("No engine runs on this machine", remedy=_START_ONE)
    return engines


def live_engines(chosen: Sequence[str], api_key: str | None) -> list[EngineInfo]:
    """The engines chosen by name or address, or without any those of our own user on this machine.

    Raises as `live_engine` does, and EngineUnreachable where one is named that belongs to another
    user: its address says that it is really meant.
    """
    if chosen:
        engines = chosen_engines(chosen, api_key)
        for word, engine in zip(chosen, engines, strict=True):
            if engine.user and not looks_like_address(word):
                raise EngineUnreachable(
                    f"{engine.name} belongs to another user ({engine.user})",
                    remedy=f"Give its address, {engine.url}: {_UNNAMED}",
                )
        return engines
    return _own_engines()


def _own_engines() -> list[EngineInfo]:
    engines = all_engines()
    own = [engine for engine in engines if not engine.user]
    if not own:
        raise _only_strangers(engines)
    return own


def ledger_engine(ledger: Ledger, chosen: str | None, api_key: str | None = None) -> EngineRow:
    """The one engine of the ledger that is meant, whether it still runs or not.

    An address the ledger does not know is asked, so that one nobody answers is told as such.
    Of several engines, the only one that is not gone is meant.
    """
    from engines.web.address import normalise
    from store.tables.engines import find_engine, list_engines

    known = list_engines(ledger)
    if chosen:
        word = normalise(chosen) if looks_like_address(chosen) else chosen
        row = find_engine(ledger, word)
        if row is not None:
            _check_one_is_meant(chosen, known)
            return row
        if looks_like_address(chosen):
            from engines.discovery.find import probe

            url = probe(word, api_key).url  # an engine goes by one of its addresses
            row = find_engine(ledger, url)
            if row is not None:
                return row
            raise _nothing_recorded(url)
        raise BadInput(f"The ledger knows no engine {chosen!r}", f"There are: {_listed(known)}")
    if not known:
        raise _nothing_recorded(str(ledger.path))
    present = [row for row in known if row.state != "gone"]
    if len(known) == 1 or len(present) == 1:
        return (present or known)[0]
    raise BadInput(
        "The ledger holds several engines",
        f"There are: {_listed(known)}",
        "Choose one with --engine",
    )


def _check_one_is_meant(name: str, known: Sequence[EngineRow]) -> None:
    """Raise BadInput for a name that several engines have which are there."""
    present = [row for row in known if row.name == name and row.state != "gone"]
    if len(present) > 1:
        raise BadInput(
            f"Several engines of the ledger are called {name}",
            f"There are: {_listed(present)}",
            "Choose one by its address: --engine URL",
        )


def ledger_of(db: Path | None, chosen: str | None, api_key: str | None) -> Ledger:
    """The ledger for reading. Where there is none, an address is asked first: whether anybody
    answers there matters more than that nothing was recorded."""
    from app.settings.load import default_db_path

    if chosen and looks_like_address(chosen) and not (db or default_db_path()).exists():
        from engines.discovery.find import probe

        probe(chosen, api_key)
    return read_ledger(db)


def _nothing_recorded(where: str) -> NotAchieved:
    return NotAchieved(
        f"Nothing has been recorded of {where}"
        if "://" in where
        else f"Nothing has been recorded in {where}",
        remedy="trimtab record records in the background; --for 10s records right now",
    )


def _listed(rows: Sequence[EngineRow]) -> str:
    return ", ".join(f"{row.name} ({row.url})" for row in rows) or "none"
