"""trimtab doctor"""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.options import command, common
from app.output import print_line


@command("doctor")
@click.option(
    "--pythonpath",
    is_flag=True,
    help="Print only the directory that gives an engine its live knobs.",
)
@common
def command_(*, pythonpath: bool, as_json: bool, db: Path | None) -> None:
    """Say what is wrong with this host and how to mend it.

    It exits with 1 if something stands in the way.

    \b
    PYTHONPATH=$(trimtab doctor --pythonpath) vllm serve MODEL
    """
    from engines.inside_path import INSIDE

    if pythonpath:
        print_line(str(INSIDE))
        return
    del as_json, db
