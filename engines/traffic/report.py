"""What a load did, told as it was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random

_SAMPLES = 4_096


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from sending to the last byte (or to the first token), of requests that succeeded.

    Percentiles come from a uniform sample of at most 4,096 requests; the maximum is exact.
    """

    p50: float
    p95: float
    max: float


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """A load so far, or at its end.

    `sent` = `ok` + the failed + `in_flight`. A reply with HTTP 200 that was cut (`finish_reason`
    abort, or fewer tokens than asked for with ignore_eos) is a failure called `truncated`.
    `not_sent` are arrivals of an open loop for which there was no room or no server.
    `prompt_tokens` and `output_tokens` are the engine's own counts over `ok` requests.
    """

    elapsed_s: float
    sent: int
    ok: int
    in_flight: int
    not_sent: int
    failed: Mapping[str, int]
    finish_reasons: Mapping[str, int]
    prompt_tokens: int
    output_tokens: int
    latency: Latency | None
    ttft: Latency | None

    @property
    def failures(self) -> int:
        """Requests that failed, for whatever reason."""
        return sum(self.failed.values())

    def to_json(self) -> dict[str, object]:
        """The report as scripts read it; unknown values are null."""
        rates = {
            "requests_per_s": self.ok / self.elapsed_s if self.elapsed_s else None,
            "output_tokens_per_s": self.output_tokens / self.elapsed_s if self.elapsed_s else None,
        }
        return asdict(self) | rates


class Reservoir:
    """A uniform sample of a stream of numbers in constant memory (Vitter's algorithm R)."""

    def __init__(self) -> None:
        self._sample: list[float] = []
        self._count = 0
        self._max = 0.0
        self._random = Random(0)  # noqa: S311 - sampling, not a secret

    def add(self, value: float) -> None:
        """Take one more number."""
        self._count += 1
        self._max = max(self._max, value)
        if len(self._sample) < _SAMPLES:
            self._sample.append(value)
        elif (index := self._random.randrange(self._count)) < _SAMPLES:
            self._sample[index] = value

    def summary(self) -> Latency | None:
        """Percentiles (nearest rank) and maximum; None before the first number."""
        if not self._sample:
            return None
        ordered = sorted(self._sample)
        return Latency(_nearest_rank(ordered, 0.5), _nearest_rank(ordered, 0.95), self._max)


@dataclass(slots=True)
class Tally:
    """Counts while a load runs. Belongs to one event loop."""

    began: float = field(default_factory=time.monotonic)
    sent: int = 0
    ok: int = 0
    not_sent: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    finish_reasons: Counter[str] = field(default_factory=Counter)
    latencies: Reservoir = field(default_factory=Reservoir)
    ttfts: Reservoir = field(default_factory=Reservoir)

    def report(self) -> TrafficReport:
        """The counts as they are now."""
        return TrafficReport(
            elapsed_s=time.monotonic() - self.began,
            sent=self.sent,
            ok=self.ok,
            in_flight=self.sent - self.ok - self.failed.total(),
            not_sent=self.not_sent,
            failed=dict(self.failed),
            finish_reasons=dict(self.finish_reasons),
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            latency=self.latencies.summary(),
            ttft=self.ttfts.summary(),
        )


def _nearest_rank(ordered: list[float], q: float) -> float:
    return ordered[max(0, -(-len(ordered) * int(q * 100) // 100) - 1)]
