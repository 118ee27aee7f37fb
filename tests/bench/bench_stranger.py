"""How much another user of the host slows our work down.

    python -m tests.bench.bench_stranger [--rounds 4] [--only WORD]

An engine (a stand-in under a real supervisor), a recorder and clients, in a /tmp, a process table
and a network of their own, so that nobody else is disturbed or counted. For each attack, rounds
with it and without it take turns. Root only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.bench.stranger.attacks import ATTACKS, Attack
from tests.bench.stranger.measures import GAPS, samples
from tests.crossings.world import World, a_world, environment

AIM = 1.1
_APART = "BENCH_APART"
_ENTER = """
echo -10 > /proc/self/autogroup
mount -t tmpfs -o mode=1777 none /tmp && ip link set lo up
"$@" & wait $!
"""


def compare(world: World, attack: Attack, rounds: int) -> None:
    """Measure an attack and print its ratios."""
    print(f"\n{attack.name}, ratio (aim {AIM:g})", flush=True)
    halves: list[dict[str, list[float]]] = [defaultdict(list), defaultdict(list)]
    for _ in range(rounds):
        for half, beside in zip(halves, (attack.otherwise, attack.beside), strict=True):
            with beside(world):
                for name, seconds in samples(world):
                    half[name].append(seconds)
    without, with_it = halves
    for name in without:
        print(_line(name, without[name], with_it[name]), flush=True)


def _line(name: str, without: Sequence[float], with_it: Sequence[float]) -> str:
    """The best of the rounds, as what else the host does only adds; of the gaps, which should all
    be the same, the 95th percentiles."""
    before, after = (
        statistics.quantiles(half, n=20)[-1] if name == GAPS else min(half)
        for half in (without, with_it)
    )
    return f"  {name:42} {before:6.3f} -> {after:6.3f} s {after / before:8.2f}"


def enter_apart() -> int:
    """Run this again where nobody else is."""
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--net"]
    words = [sys.executable, "-m", "tests.bench.bench_stranger", *sys.argv[1:]]
    return subprocess.run(
        [*apart, "sh", "-c", _ENTER, "sh", *words], check=False, env=os.environ | {_APART: "1"}
    ).returncode


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--only", default="", help="a word of the attack's name")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        print("only root can be another user as well: not measured")
        return 0
    if _APART not in os.environ:
        return enter_apart()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        home.chmod(0o755)
        os.environ.update(environment(home))
        with a_world(home, "bench", supervised=True) as world:
            for attack in ATTACKS:
                if asked.only in attack.name:
                    compare(world, attack, asked.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
