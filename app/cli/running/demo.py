"""trimtab demo"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import command, common, end_with
from app.text.output import print_json, print_line, say
from store.errors import NotAchieved

if TYPE_CHECKING:
    from app.demo.tour import Findings
    from app.settings.values import Settings
    from engines.engine_info import EngineInfo


@command("demo")
@click.option(
    "--model",
    default="tiny",
    show_default=True,
    help="What to serve: smollm2, a small model that was really trained, or a directory.",
)
@click.option("--tour", is_flag=True, help="Turn the knobs without a person, also on a terminal.")
@common
def command_(*, model: str, tour: bool, as_json: bool, db: Path | None) -> None:
    """A real vLLM with steady traffic on this machine, and the screen on it.

    It provisions if needed, serves on a free port, and stops what it started when it is left.
    Without a terminal, or with --tour, it is a tour of about two minutes: it switches prefix
    caching off and on and the batch size down and up, prints both comparisons, and exits with 0
    only if the effects were there. It keeps a ledger of its own unless --db names one.
    """
    from app.cli.shared.recording import recording
    from app.cli.shared.starting import phase_lines
    from app.cli.watching.screen import open_screen, prepare
    from app.demo.rig import rig
    from app.settings import paths
    from app.settings.load import load_settings, stated_gpus
    from engines.discovery.api_keys import NO_KEY

    settings = load_settings()
    path = db or paths.demo_db_path()
    touring = tour or as_json or not (sys.stdin.isatty() and sys.stdout.isatty())
    prepare(slow_link=settings.slow_link)
    with (
        rig(model, phase_lines, path) as running,
        recording(
            path,
            [running.engine],
            named=True,
            every_s=settings.every,
            keys=NO_KEY,
            stated=stated_gpus(settings),
        ) as recorder,
    ):
        if touring:
            findings = take_tour(path, running.engine, settings, as_json)
            report = running.traffic.stop()
        else:
            open_screen(path, settings, running.engine.url, NO_KEY, recorder)
            return
    if not report or report.get("failed"):
        failure = report.get("failed") or "no report"
        findings.missing.append(f"every request of the traffic was answered: {failure}")
    _conclude(findings, report, as_json)


def take_tour(path: Path, engine: EngineInfo, settings: Settings, as_json: bool) -> Findings:
    """The tour on stdout; with JSON its lines go to stderr."""
    from app.demo.tour import TOUR_METRICS, Tour
    from app.settings.load import price_book
    from app.text.comparison import print_effects
    from store.ledger.connection import Ledger

    tell = say if as_json else print_line
    with Ledger.open(path) as ledger:
        show = None if as_json else partial(print_effects, only=TOUR_METRICS)
        return Tour(ledger, engine.handle(), price_book(settings), tell, show).run()


def _conclude(findings: Findings, report: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "comparisons": {
                    name: comparison.to_json() for name, comparison in findings.comparisons.items()
                },
                "traffic": report,
                "missing": findings.missing,
            }
        )
    if findings.missing:
        end_with(NotAchieved("The tour did not see: " + "; ".join(findings.missing)))
    if not as_json:
        print_line("The effects were there: prefix caching and batch size, live, no restart")
