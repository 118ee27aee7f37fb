"""Closed and open loops of requests, and leaving a server alone that is away."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from itertools import cycle
from random import Random

from engines.traffic.client import AWAY, Answer, Client
from engines.traffic.prompts import questions
from engines.traffic.report import Tally
from engines.traffic.spec import MAX_IN_FLIGHT, TrafficSpec

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0


class Gate:
    """Closes for a growing while when the server is away, for all clients together."""

    def __init__(self) -> None:
        self._pause_s = _FIRST_PAUSE_S
        self._closed_until = 0.0

    def note(self, answer: Answer) -> None:
        """Take an outcome into account. Failures while it is closed are of the same absence."""
        now = time.monotonic()
        if answer.failure not in AWAY:
            self._pause_s = _FIRST_PAUSE_S
        elif now >= self._closed_until:
            self._closed_until = now + self._pause_s
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    @property
    def wait_s(self) -> float:
        """Seconds until requests may go out again."""
        return max(0.0, self._closed_until - time.monotonic())


class Load:
    """A running load: sends, counts, and stops when told."""

    def __init__(
        self, client: Client, spec: TrafficSpec, prefix: str, tally: Tally, stop: asyncio.Event
    ) -> None:
        self._client = client
        self._spec = spec
        self._tally = tally
        self._gate = Gate()
        self._stop = stop
        self._ends = time.monotonic() + (spec.duration_s or float("inf"))
        self._random = Random(spec.seed)  # noqa: S311 - a load, not a secret
        self._prompts = _prompts(prefix, spec)

    @property
    def left_s(self) -> float:
        """Seconds until the load's duration is over; infinite without one."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether no further request is sent."""
        return self._stop.is_set() or self.left_s <= 0

    async def run(self) -> None:
        """Send until it is over, then wait for the answers that are outstanding."""
        if self._spec.rate is None:
            async with asyncio.TaskGroup() as group:
                for number in range(self._spec.concurrency):
                    group.create_task(self._closed(number))
        else:
            await self._open(self._spec.rate)

    async def _closed(self, number: int) -> None:
        # Clients that begin together would stay in step for a long time.
        await self._pause(self._spec.think_s * number / self._spec.concurrency)
        while not self.is_over:
            if wait_s := self._gate.wait_s:
                await self._pause(wait_s * self._random.uniform(1.0, 1.25))
                continue
            await self._send()
            if self._spec.think_s:
                await self._pause(self._random.expovariate(1 / self._spec.think_s))

    async def _open(self, rate: float) -> None:
        """Poisson arrivals on absolute times, so that a slow moment does not lower the rate."""
        due = time.monotonic()
        in_flight: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            while not self.is_over:
                due += self._random.expovariate(rate)
                await self._pause(due - time.monotonic())
                if self.is_over:
                    break
                if self._gate.wait_s or len(in_flight) >= MAX_IN_FLIGHT:
                    self._tally.not_sent += 1
                    continue
                task = group.create_task(self._send())
                in_flight.add(task)
                task.add_done_callback(in_flight.discard)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not past the end."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self.left_s)):
                await self._stop.wait()

    async def _send(self) -> None:
        tally = self._tally
        prompt, max_tokens = next(self._prompts)
        tally.sent += 1
        began = time.monotonic()
        answer = await self._client.complete(prompt, max_tokens)
        self._gate.note(answer)
        if answer.finish_reason is not None:
            tally.finish_reasons[answer.finish_reason] += 1
        if answer.failure is not None:
            tally.failed[answer.failure] += 1
            return
        tally.ok += 1
        tally.prompt_tokens += answer.prompt_tokens
        tally.output_tokens += answer.output_tokens
        tally.latencies.add(time.monotonic() - began)
        if answer.ttft_s is not None:
            tally.ttfts.add(answer.ttft_s)


def _prompts(prefix: str, spec: TrafficSpec) -> Iterator[tuple[str, int]]:
    """(prompt, max_tokens), every length once in a shuffled round: an even mix at any moment."""
    random = Random(spec.seed + 1)  # noqa: S311 - a load, not a secret
    lengths = list(spec.output_lengths)
    for index, question in zip(cycle(range(len(lengths))), questions(spec.seed), strict=False):
        if index == 0:
            random.shuffle(lengths)
        yield prefix + question, lengths[index]
