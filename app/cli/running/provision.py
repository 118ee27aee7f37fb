"""trimtab provision"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import command, common
from app.text.durations import format_duration
from app.text.output import clean, print_json, print_line, say
from engines.provision.environment import MODEL_NAMES

if TYPE_CHECKING:
    from engines.provision import Environment
    from engines.provision.steps import Progress


@command("provision")
@click.option(
    "--model",
    type=click.Choice(MODEL_NAMES),
    help="A demo model that is wanted too: smollm2, with smollm2-int4, is fetched (93 MB).",
)
@common
def command_(*, model: str | None, as_json: bool, db: Path | None) -> None:
    """Make the engine environment and the demo models; what is there already is kept.

    vLLM for the GPU where there is one, else for the CPU, in an environment of its own under the
    user's data directory, with the models tiny and tiny-int4. It may be interrupted and run again.
    """
    del db
    environment = provision_with_display(model)
    if as_json:
        print_json(environment_json(environment))
        return
    print_line(f"vLLM {environment.version}: {environment.python}")
    for name, path in environment.models.items():
        print_line(f"{name}: {path}")


def provision_with_display(model: str | None = None) -> Environment:
    """Provision, showing progress on stderr: a bar on a terminal, else a line per step."""
    from engines.provision import provision

    with display() as report:
        return provision(report, model)


def environment_json(environment: Environment) -> dict[str, object]:
    """The environment as scripts read it."""
    return {
        "python": str(environment.python),
        "vllm_version": environment.version,
        "models": {name: str(path) for name, path in environment.models.items()},
    }


@contextmanager
def display() -> Iterator[Callable[[Progress], None]]:
    """What to call with each `Progress`."""
    if not sys.stderr.isatty():
        yield _plain_lines()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None, message="")

        def report(now: Progress) -> None:
            bars.update(
                task,
                description=f"{now.index}/{now.total} {escape(clean(now.step))}",
                total=None if now.fraction is None else 1.0,
                completed=now.fraction or 0.0,
                message=escape(clean(now.message)[:60]),
            )

        yield report


def _plain_lines() -> Callable[[Progress], None]:
    shown: set[str] = set()

    def report(now: Progress) -> None:
        if now.step not in shown:
            shown.add(now.step)
            elapsed = format_duration(now.elapsed_s)
            say(f"{now.index}/{now.total} {now.step}: {now.message} ({elapsed})")

    return report
