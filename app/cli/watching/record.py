"""trimtab record"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.commands import looks_like_address
from app.cli.shared.options import (
    api_key_option,
    command,
    common,
    duration_option,
    gpus_option,
    open_ledger,
)
from app.text.clock import iso
from app.text.durations import format_duration
from app.text.output import print_json, say
from store.clock import now_ms
from store.errors import NotAchieved, TrimtabError

if TYPE_CHECKING:
    from app.cli.shared.detach import DetachedRecorder
    from engines.discovery.api_keys import ApiKeys
    from engines.engine_info import EngineInfo
    from engines.held_gpus import StatedGpus
    from engines.recording.recorder import Recorder
    from store.metrics.prices import PriceBook

STATUS_EVERY_S = 10.0
LOOK_EVERY_S = 1.0


@command("record")
@click.argument("chosen", nargs=-1, metavar="[ENGINE]...")
@duration_option("--for", "seconds", text="Stop after this long; without it, record until stopped.")
@duration_option("--every", text="The time between two readings.")
@click.option("--detach", is_flag=True, help="Go on in the background, once a reading is stored.")
@gpus_option
@api_key_option
@common
def command_(
    *,
    chosen: tuple[str, ...],
    seconds: float | None,
    every: float | None,
    detach: bool,
    gpus: tuple[str, ...],
    api_key: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Record the engines of this machine (or those named) into the ledger, without a screen.

    An ENGINE is a name or an address; without any, engines that start later are recorded, too.

    It may be killed at any instant: at most the last second is lost. One recorder per engine. Where
    the ledger breaks under it, it says so and goes on in a new one beside it.
    """
    from app.cli.shared.choose import live_engines, require_one_meant
    from app.cli.shared.recording import free_engines, keys_for
    from app.settings.load import load_settings, stated_gpus

    settings = load_settings()
    every_s = checked_every(every or settings.every)
    stated = stated_gpus(settings, gpus)
    engines = live_engines(chosen, api_key)
    require_one_meant(stated, engines)
    addressed = [
        engine for word, engine in zip(chosen, engines, strict=False) if looks_like_address(word)
    ]
    with open_ledger(db) as ledger:
        path = ledger.path
        free = free_engines(ledger, engines)
    if not free:
        raise NotAchieved(
            "Every engine here is being recorded already", remedy="trimtab show reads the ledger"
        )
    if detach:
        from app.cli.shared.detach import record_detached

        recorder = record_detached(
            path, free, chosen, seconds=seconds, every_s=every_s, api_key=api_key, gpus=gpus
        )
        _tell_detached(recorder, as_json)
        return
    from_ms = now_ms()
    last_path = _record(
        path,
        free,
        keys_for(api_key, addressed),
        named=bool(chosen),
        seconds=seconds,
        every_s=every_s,
        stated=stated,
    )
    to_ms = now_ms()
    if seconds is not None and to_ms - from_ms >= seconds * 1000 and last_path == path:
        require_a_reading(path, free, from_ms)
    if as_json:
        names = [engine.name for engine in free]
        print_json({"db": str(last_path), "engines": names, "from": iso(from_ms), "to": iso(to_ms)})


def _tell_detached(recorder: DetachedRecorder, as_json: bool) -> None:
    if as_json:
        print_json(asdict(recorder))
        return
    log = f"its log is {recorder.log}" if recorder.log else "there is no place for a log"
    say(f"Recording as process {recorder.pid}; {log}")
    for name, reason in recorder.unread.items():
        say(f"{name} cannot be read yet: {reason or 'no answer'}")


def checked_every(every_s: float) -> float:
    """Seconds between readings, where an engine can bear it."""
    from store.errors import BadInput

    if not 0.2 <= every_s <= 60:
        raise BadInput(
            f"--every {format_duration(every_s)} is out of bounds",
            "A scrape costs the server 4 ms of CPU",
            "Choose 200ms to 60s",
        )
    return every_s


def require_a_reading(path: Path, engines: list[EngineInfo], since_ms: int) -> None:
    """Raise NotAchieved, with each engine's reason, if none of them was read since then."""
    from app.cli.shared.recording import is_read
    from store.ledger.connection import Ledger
    from store.tables.engines import find_engine

    with Ledger.open(path, readonly=True) as ledger:
        if any(is_read(ledger, engine.url, since_ms) for engine in engines):
            return
        rows = [find_engine(ledger, engine.url) for engine in engines]
    reasons = [f"{row.name}: {row.state_reason}" for row in rows if row and row.state_reason]
    raise NotAchieved(
        "Nothing was recorded", "; ".join(reasons), "Record for longer, or see its log"
    )


def _record(
    path: Path,
    engines: list[EngineInfo],
    keys: ApiKeys,
    *,
    named: bool,
    seconds: float | None,
    every_s: float,
    stated: StatedGpus,
) -> Path:
    """Record until told to stop; returns the ledger it ended in."""
    from app.cli.shared.recording import recording
    from app.settings.load import load_settings, price_book

    prices = price_book(load_settings())
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    names = ", ".join(engine.name for engine in engines)
    say(f"Recording {names} into {path} every {format_duration(every_s)}; Ctrl-C stops")
    deadline = None if seconds is None else time.monotonic() + seconds
    current: Path | None = path
    while current is not None:
        ledger_path = current
        with recording(
            ledger_path, engines, named=named, every_s=every_s, keys=keys, stated=stated
        ) as recorder:
            current = _follow(
                recorder,
                ledger_path,
                engines,
                first_path=path,
                prices=prices,
                stop=stop,
                deadline=deadline,
            )
    return ledger_path


def _follow(
    recorder: Recorder,
    path: Path,
    engines: list[EngineInfo],
    *,
    first_path: Path,
    prices: PriceBook,
    stop: threading.Event,
    deadline: float | None,
) -> Path | None:
    """Say how it goes until told to stop. Where the ledger breaks for good, the one to go on in."""
    from app.cli.shared.beside import Breakage, new_beside

    breakage = Breakage()
    told_at = time.monotonic()
    while not stop.is_set():
        now = time.monotonic()
        left = STATUS_EVERY_S if deadline is None else deadline - now
        if left <= 0 or stop.wait(min(left, STATUS_EVERY_S, LOOK_EVERY_S)):
            break
        for notice in recorder.take_notices():
            say(f"trimtab: {notice}")
        problems = [recorder.problem]
        if time.monotonic() - told_at >= STATUS_EVERY_S:
            told_at = time.monotonic()
            if recorder.problem is not None:
                say(f"trimtab: {recorder.problem}")
            problems.append(_say_status(path, engines, prices))
        broken = breakage.lasts(*problems)
        if broken is not None and (beside := new_beside(first_path)) is not None:
            say(f"trimtab: {broken}")
            say(f"Recording goes on in {beside}; {path} gets no more")
            return beside
    return None


def _say_status(path: Path, engines: list[EngineInfo], prices: PriceBook) -> TrimtabError | None:
    """A line about each engine; what keeps the ledger from being read, which may be mended."""
    from app.text.status_line import status_line
    from store.ledger.connection import Ledger

    try:
        with Ledger.open(path, readonly=True) as ledger:
            for engine in engines:
                say(status_line(ledger, engine.url, prices, now_ms()))
    except TrimtabError as error:
        say(f"trimtab: {error}")
        return error
    return None
