"""trimtab without a command: the screen, and a recorder behind it where nobody records yet."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.commands import SCREEN, looks_like_address
from app.cli.shared.options import (
    api_key_option,
    command,
    common,
    engine_option,
    gpus_option,
    open_ledger,
)
from app.text.encoding import is_utf8
from store.errors import BadInput, EngineUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.settings.values import Settings
    from engines.discovery.api_keys import ApiKeys
    from engines.engine_info import EngineInfo
    from engines.recording.recorder import Recorder
    from store.ledger.connection import Ledger

SLOW_LINK_FPS = "4"


@command(SCREEN)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--slow-link", is_flag=True, help="Draw less often, for a slow connection.")
@gpus_option
@engine_option
@api_key_option
@common
def command_(
    *,
    urls: tuple[str, ...],
    slow_link: bool,
    gpus: tuple[str, ...],
    engine: str | None,
    api_key: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Watch the engines of this machine (or those at the URLs) and turn their knobs."""
    from app.cli.shared.choose import require_one_meant
    from app.cli.shared.recording import keys_for, recording
    from app.settings.load import load_settings, stated_gpus

    for word in urls:
        if not looks_like_address(word):
            raise BadInput(
                f"{word!r} is not an engine's address",
                remedy="Options of a command stand after it: trimtab show --db PATH",
            )
    if as_json:
        raise BadInput(
            "The screen has no JSON", remedy="trimtab show --json, trimtab engines --json"
        )
    require_terminal()
    require_utf8()
    gc.disable()  # what imports make stays: looking through it again and again delays the start
    settings = load_settings()
    stated = stated_gpus(settings, gpus)
    prepare(slow_link=slow_link or settings.slow_link)
    named = (*urls, *([engine] if engine and looks_like_address(engine) else []))
    with ThreadPoolExecutor(1) as beside:
        looking = beside.submit(engines_to_watch, named, api_key, db)
        import app.tui.app  # noqa: F401 - it takes as long as the engines take to answer

        engines = looking.result()
    require_one_meant(stated, engines)
    with open_ledger(db) as ledger:
        path = ledger.path
        first = _first_shown(engine, engines, ledger)
    keys = keys_for(api_key, engines if named else ())
    with recording(
        path, engines, named=bool(named), every_s=settings.every, keys=keys, stated=stated
    ) as recorder:
        open_screen(path, settings, first, keys, recorder)


def engines_to_watch(urls: Sequence[str], api_key: str | None, db: Path | None) -> list[EngineInfo]:
    """The engines at `urls`, or all of this machine. Where one does not answer, those that can be
    turned all the same, or that are being swapped: in a stop-start nobody answers for a while. That
    is when one wants to look."""
    from app.cli.shared.choose import live_engines

    try:
        return live_engines(urls, api_key)
    except EngineUnreachable:
        watched = _turnable(urls) or _swapping(urls, db)
        if not watched:
            raise
        return watched


def _first_shown(chosen: str | None, engines: Sequence[EngineInfo], ledger: Ledger) -> str:
    """The address of the engine that was chosen, also of one that is in a swap or was recorded.

    Raises BadInput where there is none: what is shown is what keys turn, so nothing else will do.
    """
    if not chosen:
        return engines[0].url
    if looks_like_address(chosen):
        return engines[-1].url  # it was looked at last
    from app.cli.shared.choose import unknown_name
    from engines.serving.names import base_name
    from engines.serving.registry import list_serving
    from store.tables.engines import find_engine

    row = find_engine(ledger, chosen)
    addresses = [
        *(running.url for running in engines if running.name == chosen),
        *(serving.url for serving in list_serving() if base_name(serving.name) == chosen),
        *([] if row is None else [row.url]),
    ]
    if not addresses:
        raise unknown_name(chosen, engines)
    return addresses[0]


def _turnable(urls: Sequence[str]) -> list[EngineInfo]:
    """The engines at these addresses as far as they can be found without HTTP, if all can be turned
    live; else none."""
    from engines.discovery.local import handle_at
    from engines.engine_info import engine_of
    from engines.web.address import normalise

    handles = [handle_at(normalise(url)) for url in urls]
    turnable = [engine_of(handle) for handle in handles if handle is not None and handle.sockets]
    return turnable if len(turnable) == len(urls) else []


def _swapping(urls: Sequence[str], db: Path | None) -> list[EngineInfo]:
    """Engines (of these addresses, if any are given) that the ledger says are being swapped."""
    from app.settings.load import default_db_path
    from engines.engine_info import EngineInfo
    from engines.web.address import normalise
    from store.ledger.connection import Ledger
    from store.reports.outcomes import RUNNING
    from store.tables.engines import list_engines
    from store.tables.swaps import recent

    path = db or default_db_path()
    if not path.exists():
        return []
    wanted = [normalise(url) for url in urls]
    with Ledger.open(path, readonly=True) as ledger:
        return [
            EngineInfo(row.url, row.name)
            for row in list_engines(ledger)
            if (not wanted or row.url in wanted)
            and any(swap.outcome == RUNNING for swap in recent(ledger, row.id, 1))
        ]


def require_terminal() -> None:
    """Refuse to draw into a pipe."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput(
            "The screen needs a terminal",
            remedy="trimtab show prints a window, trimtab record records without a screen",
        )


def require_utf8() -> None:
    """Refuse to draw with letters in the place of lines: columns would run into each other."""
    if not is_utf8(sys.stdout):
        raise BadInput(
            f"The screen needs UTF-8, and this terminal's locale has {sys.stdout.encoding}",
            remedy="export LC_ALL=C.UTF-8 if the terminal can show it; commands work as it is",
        )


def prepare(*, slow_link: bool) -> None:
    """What must be set before Textual is imported: it reads its limits once."""
    if slow_link:
        os.environ.setdefault("TEXTUAL_FPS", SLOW_LINK_FPS)


def draw_on_terminal() -> None:
    """Textual draws on stderr. Let `trimtab 2>file` show its screen all the same, and a terminal
    that goes away end it like SIGHUP, also where nobody sends that."""
    from app.tui.terminal import Terminal

    ours = sys.__stderr__ if sys.__stderr__ and sys.__stderr__.isatty() else sys.__stdout__
    assert ours is not None  # a terminal is required
    sys.__stderr__ = Terminal(ours, partial(signal.raise_signal, signal.SIGHUP))  # type: ignore[misc, assignment]


def open_screen(
    db: Path, settings: Settings, engine: str | None, keys: ApiKeys, recorder: Recorder
) -> None:
    """Run the screen until it is left, or this process is told to end or loses its terminal."""
    from app.acts.for_screen import LedgerActions
    from app.settings.load import price_book
    from app.tui.app import TrimtabApp

    draw_on_terminal()
    screen = TrimtabApp(
        db,
        price_book(settings),
        LedgerActions(db, keys),
        engine=engine,
        recording=lambda: recorder.problem,
    )

    gc.freeze()
    gc.enable()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, screen.exit)
        await screen.run_async()

    asyncio.run(run())
    if screen.return_code:
        raise click.exceptions.Exit(screen.return_code)
