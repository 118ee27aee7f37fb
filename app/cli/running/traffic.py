"""trimtab traffic"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import api_key_option, command, common, duration_option, end_with
from app.text.durations import format_duration
from app.text.output import print_json, say
from store.errors import BadInput, NotAchieved

if TYPE_CHECKING:
    from engines.traffic import TrafficReport, TrafficSpec

STATUS_EVERY_S = 10.0


@command("traffic")
@click.argument("url")
@click.option("--preset", metavar="NAME", help="A named load to begin with: demo, light, chat.")
@click.option("--concurrency", type=int, help="Clients that each wait for their answer.")
@click.option("--rate", type=float, help="Requests a second, whatever the engine does.")
@duration_option("--think", text="A client's mean pause after an answer.")
@click.option("--prefix", type=int, metavar="TOKENS", help="The beginning all prompts share.")
@click.option("--output", metavar="N,N,...", help="Output lengths to draw from, in tokens.")
@click.option("--stream/--no-stream", default=None, help="Stream answers; measures first tokens.")
@click.option("--seed", type=int, help="The same seed asks the same questions.")
@click.option("--model", metavar="NAME", help="The served model; else the first.")
@duration_option("--for", "seconds", text="Stop after this long; without it, until stopped.")
@api_key_option
@common
def command_(
    *, url: str, preset: str | None, as_json: bool, db: Path | None, **options: object
) -> None:
    """Send load to an engine when there are no users.

    With --rate the loop is open (requests come whatever the engine does), else it is closed. It
    ends at --for or Ctrl-C and says what became of the requests; it exits with 1 if one failed.
    """
    from engines.traffic import run
    from engines.web.address import normalise

    del db
    spec = build_spec(preset, options)

    async def load() -> TrafficReport:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        return await run(
            normalise(url),
            spec,
            stop=stop,
            on_stats=lambda report: say(report_line(report)),
            stats_every_s=STATUS_EVERY_S,
        )

    report = asyncio.run(load())
    if as_json:
        print_json(report.to_json())
    else:
        say(report_line(report))
    if report.failures:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.failed.items())
        end_with(NotAchieved(f"{report.failures} of {report.sent} requests failed", kinds))


def build_spec(preset: str | None, options: dict[str, object]) -> TrafficSpec:
    """The load asked for: the preset's, or the standard one, under what was given."""
    from engines import traffic

    names = {
        "concurrency": "concurrency",
        "rate": "rate",
        "think": "think_s",
        "prefix": "shared_prefix_tokens",
        "stream": "stream",
        "seed": "seed",
        "model": "model",
        "seconds": "duration_s",
        "api_key": "api_key",
    }
    changes = {field: options[name] for name, field in names.items() if options[name] is not None}
    if options["output"] is not None:
        try:
            changes["output_lengths"] = tuple(
                int(word) for word in str(options["output"]).split(",")
            )
        except ValueError:
            raise BadInput(
                f"--output {options['output']} is not a list of numbers", remedy="Write 16,32,64"
            ) from None
    if preset is not None:
        return traffic.preset(preset, **changes).check()
    return traffic.TrafficSpec(**changes).check()  # type: ignore[arg-type]


def report_line(report: TrafficReport) -> str:
    """A load in one line."""
    latency = "" if report.latency is None else f", p95 {report.latency.p95:.2f} s"
    failed = f", {report.failures} failed" if report.failures else ", none failed"
    return (
        f"{format_duration(round(report.elapsed_s))}: {report.ok} answered{failed}, "
        f"{report.in_flight} in flight{latency}"
    )
