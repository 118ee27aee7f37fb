"""How soon the screen answers a key while the server it watches misbehaves.

    python -m tests.bench.bench_keys [--presses 10]

For each kind of server of the fault tests: from the key `?` to the first help text on the terminal,
at 200x50, median and slowest, beside the same with a server that behaves.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.bench.pty_screen import PtyScreen
from tests.hostile_pages import HOSTILE
from tests.servers import REAL_PAGE, Answer, reply, says, serving

AIM_MS = 100.0
READY_S = 15.0
SETTLE_S = 2.5
"""Over two of the recorder's reads, so that it is in the midst of one while keys are pressed."""
HELP = "what the engine"


def press(screen: PtyScreen) -> float:
    """Open the help and close it again; milliseconds from the key until it was on the terminal."""
    screen.written = b""
    began = time.monotonic()
    screen.type("?")
    if screen.read(READY_S, until=HELP) is None:
        return float("inf")
    took = time.monotonic() - began
    screen.type("q")
    screen.read(0.3)
    return took * 1000


def answers(answer: Answer, presses: int, directory: Path) -> list[float]:
    """The times of so many presses, sorted, from when the server has begun to behave like this."""
    good = says(reply(REAL_PAGE))
    with (
        serving(good) as server,
        PtyScreen([server.url, "--db", str(directory / f"{server.port}.db")]) as screen,
    ):
        screen.read(READY_S, until="running")
        server.now(answer)
        screen.read(SETTLE_S)
        return sorted(press(screen) for _ in range(presses))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presses", type=int, default=10)
    told = parser.parse_args()
    kinds = {"behaves": says(reply(REAL_PAGE))}
    kinds |= {kind: answer for kind, (answer, _) in HOSTILE.items()}
    print(f"key to help on the screen, ms (aim {AIM_MS:g})        median   slowest")
    with tempfile.TemporaryDirectory() as directory:
        for kind, answer in kinds.items():
            times = answers(answer, told.presses, Path(directory))
            print(f"{kind:44} {times[len(times) // 2]:8.1f} {times[-1]:9.1f}", flush=True)


if __name__ == "__main__":
    main()
