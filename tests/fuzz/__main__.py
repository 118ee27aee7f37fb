"""`make fuzz`: fuzz the protocols of the private sockets, one after the other.

    python -m tests.fuzz [SECONDS] [--protocol NAME] [--seed N] [--first CASE]

SECONDS are for each protocol. The exit status is 1 where something was found.
"""

from __future__ import annotations

import argparse
import random
import sys

from tests.fuzz.campaign import PROTOCOLS, fuzz
from tests.fuzz.finding import Finding

DEADLINE_S = 2.0
"""That of our own clients."""


def main() -> int:
    """Fuzz and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("seconds", nargs="?", type=float, default=600.0)
    parser.add_argument("--protocol", choices=PROTOCOLS)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--first", type=int, default=0)
    told = parser.parse_args()
    found = False
    for protocol in (told.protocol,) if told.protocol else PROTOCOLS:
        print(f"{protocol}: seed {told.seed}, {told.seconds:g} s", flush=True)
        try:
            tally = fuzz(
                protocol,
                told.seed,
                deadline_s=DEADLINE_S,
                seconds=told.seconds,
                first=told.first,
            )
        except Finding as finding:
            found = True
            print(f"FOUND in {finding}", flush=True)
        else:
            print(f"{protocol}: {tally.requests} requests, {tally.answers} answers, nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
