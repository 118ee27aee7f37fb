"""trimtab adopt"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import (
    api_key_option,
    command,
    common,
    duration_option,
    end_with,
    open_ledger,
)
from app.cli.shared.swapping import say_step
from app.text.output import print_json, print_line, say
from store.errors import BadInput, NotAchieved

if TYPE_CHECKING:
    from engines.adoption.plan import AdoptionPlan
    from engines.supervisor_client.adoption_report import AdoptionReport


@command("adopt")
@click.argument("engine")
@api_key_option
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@duration_option("--drain", text="How long running requests may take to finish.", default="60s")
@duration_option("--timeout", text="How long the new engine may take to start.", default="10m")
@click.option("--name", metavar="NAME", help="What to call the engine; else as it is called now.")
@common
def command_(
    *,
    engine: str,
    api_key: str | None,
    yes: bool,
    dry_run: bool,
    drain: float,
    timeout: float,
    name: str | None,
    as_json: bool,
    db: Path | None,
) -> None:
    """Put a running ENGINE (its name or address) under trimtab's supervisor.

    It is restarted with the same command, directory and environment, plus the live knobs; new
    connections wait in the queue meanwhile. If it does not come up, the old command runs again. An
    engine of trimtab's that lost its supervisor is taken over as it runs.
    """
    from app.acts.adopt import learned_start_s, plan_json, plan_lines
    from app.cli.shared.choose import live_engine
    from engines.adoption.begin import begin
    from engines.adoption.plan import Refused, plan_adoption
    from store.reports.outcomes import DONE

    chosen = live_engine(engine, api_key)
    with open_ledger(db) as ledger:
        try:
            plan = plan_adoption(chosen, name, ledger.path)
        except Refused as error:
            if as_json:
                raise
            for line in error.advice:
                say(line)
            raise NotAchieved(error.what, error.meaning) from None
        start_s = learned_start_s(plan, ledger)
    if dry_run and as_json:
        print_json(plan_json(plan, start_s))
    elif dry_run or not as_json:
        for line in plan_lines(plan, start_s):
            (print_line if dry_run else say)(line)
    if dry_run:
        return
    if not yes:
        _confirm(plan)
    report = begin(plan, drain_s=drain, start_s=timeout, on_step=say_step)
    print_json(report.to_json()) if as_json else print_line(_outcome(report))
    if report.outcome != DONE:
        end_with(NotAchieved(f"{plan.launch.name} was not adopted", report.reason))


def _confirm(plan: AdoptionPlan) -> None:
    if not sys.stdin.isatty():
        raise BadInput(
            "There is no terminal to confirm on", "Nothing was done", "Give --yes to go ahead"
        )
    question = "Restart it now?" if plan.restarts else "Take it over?"
    if not click.confirm(question, err=True):
        raise NotAchieved("Not confirmed", "Nothing was done")


def _outcome(report: AdoptionReport) -> str:
    wait = f"; new connections waited {report.waited_s:g} s" if report.waited_s else ""
    cut = report.cut
    lost = (
        "; some requests were cut" if cut is None else f"; {cut} requests were cut" if cut else ""
    )
    pid = "" if report.pid is None else f" as process {report.pid}"
    return f"{report.name}: {report.outcome}{pid} ({report.url}{wait}{lost})"
