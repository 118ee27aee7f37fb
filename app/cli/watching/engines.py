"""trimtab engines"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import api_key_option, command, common, gpus_option
from app.text.clock import date_time, iso
from app.text.output import UNKNOWN, print_json, print_table, say
from engines.held_gpus import GpuHold, imbalance

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo


@command("engines")
@click.argument("chosen", nargs=-1, metavar="[ENGINE]...")
@gpus_option
@api_key_option
@common
def command_(
    *,
    chosen: tuple[str, ...],
    gpus: tuple[str, ...],
    api_key: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """List the engines found on this machine (or those named), and what can be changed on each.

    \b
    control   live     knobs change while it serves
              swap     only a restart changes anything
              observe  it can only be watched
    An engine under a supervisor of trimtab's can be swapped, too (trimtab swap).
    """
    from app.cli.shared.choose import all_engines, chosen_engines, require_one_meant
    from app.settings.load import load_settings, stated_gpus
    from engines.devices.remarks import gpu_remarks
    from engines.discovery.local import LISTED_OF_A_STRANGER
    from engines.serving.names import base_name
    from engines.supervisor_client.orphaned import list_orphaned

    del db
    stated = stated_gpus(load_settings(), gpus)
    engines = chosen_engines(chosen, api_key, stated) if chosen else all_engines(stated)
    require_one_meant(stated, engines)
    if as_json:
        print_json([engine_json(engine) for engine in engines])
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
        [_row(engine) for engine in engines],
    )
    for engine in engines:
        if engine.control != "live":
            say(f"{engine.name}: {engine.control}: {engine.reason}")
        for remark in gpu_remarks(engine):
            say(f"{engine.name}: {remark}")
    strangers = Counter(engine.user for engine in engines if engine.user)
    for user, count in strangers.items():
        if not chosen and count >= LISTED_OF_A_STRANGER:
            say(f"of {user} the {count} oldest are listed; give the address of any other")
    for lost in list_orphaned():
        name = base_name(lost.name)
        say(f"{name}: has lost its supervisor: trimtab adopt {name} gives it another")


def engine_json(engine: EngineInfo) -> dict[str, object]:
    """One engine as scripts read it."""
    return {
        "name": engine.name,
        "url": engine.url,
        "model": engine.model,
        "pid": engine.pid,
        "vllm_version": engine.vllm_version,
        "control": engine.control,
        "reason": engine.reason,
        "supervisor": engine.supervisor,
        "gpus": list(engine.gpus),
        "gpu_holds": [hold_json(hold) for hold in engine.holding.holds],
        "gpus_unknown": engine.holding.why_none or None,
        "gpu_imbalance": imbalance(engine.holding.holds) or None,
        "started": iso(engine.started_ms),
    }


def hold_json(hold: GpuHold) -> dict[str, object]:
    """How an engine holds a GPU, as scripts read it."""
    return {
        "index": hold.index,
        "uuid": hold.device.uuid,
        "name": hold.device.name,
        "share": hold.share,
        "memory_mib": hold.memory_mib,
        "by": hold.by,
        "confidence": hold.confidence,
        "shared": hold.shared,
        "ranks": [asdict(rank) for rank in hold.ranks],
    }


def _row(engine: EngineInfo) -> tuple[str, ...]:
    return (
        engine.name,
        engine.url,
        engine.model or UNKNOWN,
        str(engine.pid or UNKNOWN),
        engine.vllm_version or UNKNOWN,
        engine.control if engine.supervisor is None else f"{engine.control}, supervised",
        ", ".join(engine.gpus) or UNKNOWN,
        date_time(engine.started_ms),
    )
