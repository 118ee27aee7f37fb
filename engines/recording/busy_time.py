"""How much of the time between two scrapes had a request in flight.

A scrape sees only an instant, so what lies between two of them is put together from three parts:

    in flight at the first scrape       half of what a request lasts
    in flight at the second             the same
    ran wholly between                  the latencies of those that finished, less those that
                                        were in flight at the first scrape

A request counts at most as one interval, and all together are at most the interval. Where requests
were in flight at both scrapes and none finished, it is the whole interval.

For one request at a time this is within a few per cent, however short or long they are; an eighth
low at worst, where they last nearly an interval and follow each other closely. Latencies are
request-seconds: where requests overlap between two scrapes that see little of them, it is high.
"""

from __future__ import annotations

from dataclasses import dataclass

from store.reading_columns import Histogram


@dataclass(slots=True)
class ActiveTime:
    """Estimates interval by interval; remembers how long requests last."""

    latency_us: int | None = None

    def between(
        self,
        before: int,
        after: int,
        latencies: tuple[Histogram | None, Histogram | None],
        interval_us: int,
    ) -> int:
        """Microseconds of activity, 0 to `interval_us`.

        `before` and `after` are the requests in flight at the two scrapes, `latencies` the
        cumulative end-to-end latency at both (None where the engine does not tell).
        """
        count, finished_us = _finished(*latencies)
        if count:
            self.latency_us = finished_us // count
        elif before and after:
            return interval_us
        latency_us = interval_us if self.latency_us is None else self.latency_us
        inside_us = max(0, finished_us - before * latency_us)
        busy_ends = bool(before) + bool(after)
        return min(interval_us, inside_us + busy_ends * min(latency_us, interval_us) // 2)


def _finished(before: Histogram | None, after: Histogram | None) -> tuple[int, int]:
    """Requests that finished between, and their latencies added up."""
    if before is None or after is None or before.sum_us is None or after.sum_us is None:
        return 0, 0
    return after.count - before.count, after.sum_us - before.sum_us
