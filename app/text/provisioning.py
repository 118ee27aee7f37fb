"""Provisioning with its progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.text.durations import format_duration
from app.text.output import say
from store.foreign_text import printable

if TYPE_CHECKING:
    from engines.provision import Environment
    from engines.provision.steps import Progress


def provision_with_display(model: str | None = None, version: str | None = None) -> Environment:
    """Provision, showing progress on stderr: a bar on a terminal, else a line per step."""
    from engines.provision import provision

    with display() as report:
        return provision(report, model, version)


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
                description=f"{now.index}/{now.total} {escape(printable(now.step))}",
                total=None if now.fraction is None else 1.0,
                completed=now.fraction or 0.0,
                message=escape(printable(now.message, 60)),
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
