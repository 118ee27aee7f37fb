"""trimtab serve"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import command, common, duration_option
from app.cli.shared.readiness import notify
from app.text.durations import format_duration
from app.text.output import LONGEST_LINE, print_json, print_line, say
from store.errors import BadInput, NotAchieved, TrimtabError
from store.foreign_text import printable

if TYPE_CHECKING:
    from engines.serving.start_watch import Phase
    from engines.serving.started import Started

WAIT_LINES_EVERY_S = 5.0
_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@command("serve", ignore_unknown_options=True)
@click.argument("model")
@click.argument("vllm_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[VLLM ARGS]...")
@click.option("--name", metavar="NAME", help="What to call the engine; else made of the model's.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port; else a free one.")
@click.option("--detach", is_flag=True, help="Leave it in the background once it is healthy.")
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The python of a vLLM environment; else the provisioned one.",
)
@click.option("--version", metavar="V", help="The vLLM of trimtab provision --version V.")
@duration_option("--timeout", text="How long it may take to become healthy.", default="10m")
@common
def command_(
    *,
    model: str,
    vllm_arguments: tuple[str, ...],
    name: str | None,
    port: int | None,
    detach: bool,
    python: Path | None,
    version: str | None,
    timeout: float,
    as_json: bool,
    db: Path | None,
) -> None:
    """Start vLLM with the live knobs loaded.

    MODEL is a directory, `tiny` or `tiny-int4` (made by trimtab provision), or `smollm2` or
    `smollm2-int4` (trimtab provision --model smollm2). What trimtab does not know goes to vLLM as
    it is: trimtab serve tiny --max-num-seqs 32. In the foreground it shows the engine's log, and
    Ctrl-C ends the engine, its requests first; --detach leaves it running.
    """
    from app.cli.shared.starting import phase_lines
    from engines.launch.launch import LaunchSpec
    from engines.serving.startup import StartFailed, wait_healthy
    from engines.supervisor.start import start_supervised

    python = _python(python, version)
    arguments = (*vllm_arguments, *(("--port", str(port)) if port else ()))
    stop = threading.Event()
    for number in _END:
        signal.signal(number, lambda *_: stop.set())
    path = _ledger_path(db)
    started = start_supervised(
        LaunchSpec(model, name=name, arguments=arguments, python=python, db=path)
    )
    say(f"Starting {started.name} as process {started.pid}; its log is {started.log_path}")
    try:
        wait_healthy(started, timeout, _until(stop, phase_lines(started, path)))
    except (StartFailed, KeyboardInterrupt):
        with contextlib.suppress(TrimtabError):  # the failed start is what counts
            _end(started.name)
        raise
    engine = {
        "name": started.name,
        "url": started.url,
        "pid": started.pid,
        "log": str(started.log_path),
    }
    print_json(engine) if as_json else print_line(f"{started.name}: {started.url}")
    if not detach:
        notify("READY=1")
        _follow(started, stop)


def _python(python: Path | None, version: str | None) -> Path | None:
    """The python of the environment that is asked for, None for the provisioned one."""
    if version is None:
        return python
    if python is not None:
        raise BadInput("--python and --version name two environments", "", "give one of them")
    from engines.provision import environment_of

    return environment_of(version).python


def _ledger_path(db: Path | None) -> Path | None:
    """The ledger that is told of the engine's life; one that cannot be had keeps none from it."""
    from app.cli.shared.options import open_ledger

    try:
        with open_ledger(db) as ledger:
            return ledger.path
    except TrimtabError as error:
        say(f"The engine's life is not kept: {error}")
        return None


def _until(stop: threading.Event, report: Callable[[Phase], None]) -> Callable[[Phase], None]:
    """`report`, and an interrupt when the person has asked to stop meanwhile."""

    def turn(phase: Phase) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        report(phase)

    return turn


def _follow(started: Started, stop: threading.Event) -> None:
    """Show the engine's log until its supervisor ends or is to end; then end it, requests first."""
    from engines.cleaning.redact import redact_text
    from engines.provision.places import supervisor_log
    from engines.supervisor_client import client

    lines = _growing(started.log_path)
    while not stop.is_set() and client.is_supervised(started.name):
        for line in lines():
            sys.stderr.write(redact_text(printable(line, LONGEST_LINE)) + "\n")
        stop.wait(0.2)
    if stop.is_set():
        notify("STOPPING=1")
        _end(started.name)
        return
    from engines.serving.causes import why_it_ended

    raise NotAchieved(
        f"{started.name} ended by itself",
        why_it_ended(started.log_path),
        f"See {started.log_path} and {supervisor_log(started.name)}",
    )


def _growing(path: Path) -> Callable[[], list[str]]:
    """What gives the new lines of a log, also when another one begins under its name."""
    at = [path.stat().st_ino, path.stat().st_size]

    def lines() -> list[str]:
        try:
            with path.open("rb") as log:
                if os.fstat(log.fileno()).st_ino != at[0]:
                    at[:] = [os.fstat(log.fileno()).st_ino, 0]
                at[1] = min(at[1], os.fstat(log.fileno()).st_size)  # its middle was cut out
                log.seek(at[1])
                whole, newline, _ = log.read(1 << 20).rpartition(b"\n")
        except OSError:
            return []
        at[1] += len(whole) + len(newline)
        return whole.decode("utf-8", "replace").split("\n") if newline else []

    return lines


def _end(name: str) -> None:
    from engines.serving import registry
    from engines.supervisor_client import client

    if client.is_supervised(name) or registry.find_serving(name) is not None:
        stopped = client.stop(name, on_wait=changing_lines())
        say(f"{name} stopped after {format_duration(round(stopped.took_s, 1))}")


def changing_lines() -> Callable[[str], None]:
    """What to call with a progress text again and again: says it when it changes, every 5 s."""
    last = [("", 0.0)]

    def tell(text: str) -> None:
        shown, at = last[0]
        if text != shown and time.monotonic() - at >= WAIT_LINES_EVERY_S:
            last[0] = (text, time.monotonic())
            say(text)

    return tell
