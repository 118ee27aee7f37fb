"""trimtab doctor"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import command, common, end_with
from app.text.output import print_json, print_line
from store.errors import NotAchieved

if TYPE_CHECKING:
    from engines.doctor.check import Check

_SIGNS = {True: "ok  ", False: "FAIL", None: "note"}


@command("doctor")
@click.option(
    "--pythonpath",
    is_flag=True,
    help="Print only the directory that gives an engine its live knobs.",
)
@common
def command_(*, pythonpath: bool, as_json: bool, db: Path | None) -> None:
    """Say what is wrong with this host and how to mend it.

    Nothing is changed. It exits with 1 if something stands in the way. To give an engine of yours
    its live knobs at its next start:

    \b
    PYTHONPATH=$(trimtab doctor --pythonpath) vllm serve MODEL
    """
    from app.settings.load import default_db_path, load_settings, stated_gpus
    from engines.control.inside_path import INSIDE, assignments
    from engines.doctor.diagnosis import examine

    if pythonpath:
        print_json({"pythonpath": str(INSIDE)}) if as_json else print_line(str(INSIDE))
        return
    settings = load_settings()  # a bad settings file is said first, by its own error
    checks = examine(db or default_db_path(), stated=stated_gpus(settings))
    if as_json:
        print_json({"checks": [check_json(check) for check in checks], "pythonpath": str(INSIDE)})
    else:
        for check in checks:
            print_line(check_line(check))
        words = " ".join(assignments({}))
        print_line(f"live knobs in an engine of yours: {words} vllm serve MODEL")
    failed = [check.name for check in checks if check.ok is False]
    if failed:
        end_with(NotAchieved(f"To mend: {', '.join(failed)}"))


def check_line(check: Check) -> str:
    """One check in a line, with its remedy."""
    remedy = f". {check.remedy}" if check.remedy else ""
    return f"{_SIGNS[check.ok]}  {check.name}: {check.what}{remedy}"


def check_json(check: Check) -> dict[str, object]:
    """One check as scripts read it; `ok` is null for a remark."""
    return {"name": check.name, "ok": check.ok, "what": check.what, "remedy": check.remedy}
