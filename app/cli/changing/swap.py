"""trimtab swap"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import (
    api_key_option,
    command,
    common,
    duration_option,
    end_with,
    engine_option,
    open_ledger,
    remark_option,
)
from app.cli.shared.swapping import say_step, strategy_option
from app.text.interrupted import Interrupted
from app.text.output import UNKNOWN, print_json, print_line
from store.errors import NotAchieved, TrimtabError
from store.reports.outcomes import DONE

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo
    from engines.variants.strategy import Strategy
    from store.ledger.connection import Ledger
    from store.reports.swap import SwapReport

_TRIES, _TRY_S = 10, 0.05


@command("swap")
@click.argument("variant")
@engine_option
@api_key_option
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@strategy_option
@duration_option("--timeout", text="How long the new engine may take to start.", default="10m")
@duration_option("--drain", text="How long running requests may take to finish.", default="60s")
@click.option("--keep", is_flag=True, help="Take the new engine even if it fails verification.")
@remark_option("--why", "A word for the ledger.")
@common
def command_(
    *,
    variant: str,
    engine: str | None,
    api_key: str | None,
    dry_run: bool,
    strategy: Strategy,
    timeout: float,
    drain: float,
    keep: bool,
    why: str,
    as_json: bool,
    db: Path | None,
) -> None:
    """Swap an engine for a VARIANT of it (see trimtab variants), and back if it does not hold.

    The engine must run under trimtab's supervisor (trimtab serve). The new engine is checked,
    started, verified (it answers, something changed, its quality holds) and takes over the address;
    no connection is refused meanwhile. On any failure the old engine serves on. The supervisor
    goes on by itself when this command is interrupted.
    """
    from app.acts.swaps import order_for, plan_json, plan_lines, plan_of, supervised_name
    from app.cli.shared.choose import live_engine
    from app.offers.offer import Wanted
    from app.settings.load import default_db_path, load_settings
    from engines.supervisor_client import client

    chosen = live_engine(engine, api_key)
    settings = load_settings()
    path = db or default_db_path()
    with known_ledger(path) as ledger:
        plan = plan_of(chosen, variant, settings, ledger)
    if dry_run:
        if as_json:
            print_json(plan_json(plan, chosen, strategy))
        else:
            for line in plan_lines(plan, chosen, strategy):
                print_line(line)
        return
    name = supervised_name(chosen)
    with open_ledger(path) as made:
        path = made.path
    wanted = Wanted(plan, strategy, keep=keep, why=why)
    order = order_for(wanted, settings, start_s=timeout, drain_s=drain, db=path)
    try:
        report = client.swap(name, order, partial(_say_step, path, order.id))
    except KeyboardInterrupt:
        goes_on = f"The swap of {chosen.name} goes on without us"
        raise Interrupted("Interrupted", goes_on, "trimtab undo calls it off") from None
    print_json(report.to_json()) if as_json else print_line(_outcome(report, chosen))
    if report.outcome != DONE:
        end_with(NotAchieved(f"{chosen.name} was not swapped", report.reason))


@contextmanager
def known_ledger(path: Path) -> Iterator[Ledger | None]:
    """The ledger for reading, or None where there is none yet: a plan makes none."""
    from store.ledger.connection import Ledger

    if not path.exists():
        yield None
        return
    with Ledger.open(path, readonly=True) as ledger:
        yield ledger


def _say_step(path: Path, swap_id: str, step: str, text: str) -> None:
    """A step in a line; of a start also what is left of it."""
    left = _left(path, swap_id, text) if step == "start" else ""
    say_step(step, f"{text}  {left}".rstrip())


def _left(path: Path, swap_id: str, phase: str) -> str:
    """What is left of a start that has come to this phase, as the ledger tells it a moment later;
    '' where it does not, or nothing is left."""
    from app.offers.expectation import left_text, start_left
    from engines.serving.log_phases import PHASES
    from store.clock import now_ms
    from store.ledger.connection import Ledger
    from store.tables import swaps

    if phase == PHASES[-1][1]:
        return ""
    with suppress(TrimtabError), Ledger.open(path, readonly=True) as ledger:
        for _ in range(_TRIES):
            swap = swaps.get(ledger, swap_id)
            if swap is not None and any(line.text == phase for line in swap.steps):
                return left_text(start_left(ledger, swap, now_ms()))
            time.sleep(_TRY_S)
    return ""


def _outcome(report: SwapReport, engine: EngineInfo) -> str:
    waited = report.waited_s
    wait = f"; new connections waited {waited:g} s" if waited else "; nobody waited"
    took = UNKNOWN if report.took_s is None else f"{report.took_s:g}"
    return (
        f"{engine.name} -> {report.variant}: {report.outcome} ({report.strategy}, {took} s{wait})"
    )
