"""trimtab engines"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import api_key_option, command, common
from app.text.clock import date_time, iso
from app.text.output import UNKNOWN, print_json, print_table, say

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo


@command("engines")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@api_key_option
@common
def command_(*, urls: tuple[str, ...], api_key: str | None, as_json: bool, db: Path | None) -> None:
    """List the engines found on this machine (or at the URLs), and what can be changed on each.

    \b
    control   live     knobs change while it serves
              swap     only a restart changes anything
              observe  it can only be watched
    An engine under a supervisor of trimtab's can be swapped, too (trimtab swap).
    """
    from app.cli.shared.choose import live_engines
    from engines.supervision.orphaned import list_orphaned

    del db
    found = live_engines(urls, api_key)
    if as_json:
        print_json([engine_json(one) for one in found])
        return
    print_table(
        [
            ("name", "left"),
            ("url", "left"),
            ("model", "left"),
            ("pid", "right"),
            ("vLLM", "left"),
            ("control", "left"),
            ("GPUs", "left"),
            ("started", "left"),
        ],
        [_row(one) for one in found],
    )
    for one in found:
        if one.control != "live":
            say(f"{one.name}: {one.control}: {one.reason}")
    for lost in list_orphaned():
        say(f"{lost.name}: has lost its supervisor: trimtab adopt {lost.name} gives it another")


def engine_json(one: EngineInfo) -> dict[str, object]:
    """One engine as scripts read it."""
    return {
        "name": one.name,
        "url": one.url,
        "model": one.model,
        "pid": one.pid,
        "vllm_version": one.vllm_version,
        "control": one.control,
        "reason": one.reason,
        "supervisor": one.supervisor,
        "gpus": list(one.gpus),
        "started": iso(one.started_ms),
    }


def _row(one: EngineInfo) -> tuple[str, ...]:
    return (
        one.name,
        one.url,
        one.model or UNKNOWN,
        str(one.pid or UNKNOWN),
        one.vllm_version or UNKNOWN,
        one.control if one.supervisor is None else f"{one.control}, supervised",
        ", ".join(one.gpus) or UNKNOWN,
        date_time(one.started_ms),
    )
