"""Load for when there are no users.

report = await run("http://127.0.0.1:8000", preset("demo", duration_s=60))
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engines.traffic.client import Client
from engines.traffic.loops import Load
from engines.traffic.prompts import LONGEST_QUESTION, system_prompt
from engines.traffic.report import Latency, Tally, TrafficReport
from engines.traffic.spec import PRESETS, TrafficSpec, preset
from store.errors import BadInput

__all__ = ["PRESETS", "Latency", "TrafficReport", "TrafficSpec", "preset", "run"]

_WORD_TOKENS = 1.3
"""Tokens of an English word, where the engine does not count them for us."""


async def run(
    url: str,
    spec: TrafficSpec,
    *,
    stop: asyncio.Event | None = None,
    on_stats: Callable[[TrafficReport], None] | None = None,
    stats_every_s: float = 1.0,
    finish_s: float = 10.0,
) -> TrafficReport:
    """Send load until `stop` is set or the spec's duration is over; what was done by then.

    Requests that run at the end get `finish_s` more; those that need longer are dropped and stay
    `in_flight` in the report. `on_stats` is called every `stats_every_s` in this event loop.
    Raises `EngineUnreachable` if the server is not there at the beginning, `BadInput` for a spec
    out of bounds; later failures are counted, not raised.
    """
    spec = spec.check()
    client = Client(url, spec)
    try:
        room = await client.find_model()
        prefix = await _prefix(client, spec, room)
        tally = Tally()
        load = Load(client, spec, prefix, tally, stop or asyncio.Event())
        task = asyncio.ensure_future(load.run())
        try:
            while not task.done() and not load.is_over:
                await asyncio.wait({task}, timeout=min(stats_every_s, load.left_s))
                if on_stats is not None:
                    on_stats(tally.report())
            await asyncio.wait({task}, timeout=finish_s)
            report = tally.report()
        finally:
            await _cancel(task)
        return report
    finally:
        await client.aclose()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


async def _prefix(client: Client, spec: TrafficSpec, room: int | None) -> str:
    """The shared beginning, of the length asked for by the engine's own count."""
    tokens = spec.shared_prefix_tokens
    needed = tokens + LONGEST_QUESTION + max(spec.output_lengths)
    if room is not None and needed > room:
        raise BadInput(
            f"a prefix of {tokens} tokens leaves no room for question and answer",
            f"they need {needed} tokens and the engine takes {room}",
        )
    guess = max(1, round(tokens / _WORD_TOKENS))
    counted = await client.count_tokens(system_prompt(guess, spec.seed))
    length = round(guess * tokens / counted) if counted and tokens else guess if tokens else 0
    return system_prompt(length, spec.seed)
