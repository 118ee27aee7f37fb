"""trimtab stop"""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.options import command, common, duration_option
from app.durations import format_duration
from app.output import print_json, print_line


@command("stop")
@click.argument("name")
@duration_option("--drain", text="How long running requests may take to finish.", default="30s")
@common
def command_(*, name: str, drain: float, as_json: bool, db: Path | None) -> None:
    """Stop an engine that `trimtab serve` started, letting its running requests finish."""
    from app.cli.serve import changing_lines
    from engines.supervisor import client

    del db
    stopped = client.stop(name, drain_s=drain, on_wait=changing_lines())
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
