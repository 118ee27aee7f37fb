"""trimtab stop"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from app.cli.shared.options import command, common, duration_option
from app.text.durations import format_duration
from app.text.interrupted import Interrupted
from app.text.output import print_json, print_line
from store.errors import BadInput, NotAchieved
from store.metrics.formats import format_bytes


@command("stop")
@click.argument("name", required=False)
@click.option("--orphans", is_flag=True, help="End what engines left whose API server died.")
@duration_option("--drain", text="How long running requests may take to finish.", default="30s")
@common
def command_(
    *, name: str | None, orphans: bool, drain: float, as_json: bool, db: Path | None
) -> None:
    """Stop an engine that `trimtab serve` started, letting its running requests finish."""
    from app.cli.running.serve import changing_lines
    from engines.supervisor_client import client

    del db
    if orphans == (name is not None):
        raise BadInput("Name one engine, or give --orphans", remedy="trimtab doctor lists orphans")
    if name is None:
        _end_orphans(as_json=as_json)
        return
    try:
        stopped = client.stop(name, drain_s=drain, on_wait=changing_lines())
    except KeyboardInterrupt:
        meaning = "where it has a supervisor, that goes on to stop it"
        raise Interrupted("Interrupted", meaning, f"trimtab stop {name} waits for it") from None
    if as_json:
        print_json(
            {
                "name": stopped.name,
                "pid": stopped.pid,
                "drained": stopped.drained,
                "killed": list(stopped.killed),
                "took_s": round(stopped.took_s, 3),
            }
        )
        return
    took = format_duration(round(stopped.took_s, 1))
    cut = "" if stopped.drained else "; some requests were cut"
    print_line(f"{name} stopped in {took}{cut}")


def _end_orphans(*, as_json: bool) -> None:
    from engines.host.orphans import end_orphans, find_orphans

    ended = end_orphans()
    left = find_orphans()
    if as_json:
        print_json(
            {
                "ended": [asdict(orphan) for orphan in ended],
                "left": [asdict(orphan) for orphan in left],
            }
        )
    for orphan in () if as_json else ended:
        held = "" if orphan.memory_bytes is None else f", {format_bytes(orphan.memory_bytes)}"
        print_line(f"ended {orphan.title} (PID {orphan.pid}{held})")
    if not ended and not left and not as_json:
        print_line("there are no orphans")
    if left:
        pids = ", ".join(str(orphan.pid) for orphan in left)
        raise NotAchieved(f"Orphans are left: PID {pids}", "another user's, or the kernel holds it")
