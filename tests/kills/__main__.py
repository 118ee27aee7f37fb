"""`make kills`: kill recorders at random moments, begin others, and look what was lost.

    python -m tests.kills [COUNT] [--seed N]

What a kill costs is told in two parts: what was lost, from the last stored reading to the kill, and
what the next recorder then needed from its start to its first reading. Most of that is the lease of
the one before, which has to run out.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.kills.killing import kill


def main() -> int:
    """Kill and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills")
    parser.add_argument("count", nargs="?", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    told = parser.parse_args()
    print(f"{told.count} kills, seed {told.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        costs = kill(told.count, told.seed, Path(folder) / "ledger.db")
    with_rows = [cost for cost in costs if cost.lost_ms is not None]
    print(f"{len(costs)} killed, {len(with_rows)} of them after a first reading; one run an engine")
    print(f"a page given and not stored: {sum(cost.pages_lost for cost in costs)} times, never two")
    print(f"lost: {_spread([cost.lost_ms for cost in with_rows])}")
    print(f"to the next reading: {_spread([cost.start_ms for cost in with_rows])}")
    own = [(cost.start_ms or 0) - cost.lease_ms for cost in with_rows]
    print(f"  but for the lease of the one before: {_spread(own)}")
    return 0


def _spread(times_ms: Sequence[int | None]) -> str:
    known_ms = sorted(time_ms for time_ms in times_ms if time_ms is not None)
    if not known_ms:
        return "nothing known"
    p95_ms = known_ms[math.ceil(0.95 * len(known_ms)) - 1]
    median_ms = statistics.median(known_ms)
    return f"median {median_ms:.0f} ms, 95 % {p95_ms} ms, most {known_ms[-1]} ms"


if __name__ == "__main__":
    sys.exit(main())
