"""How soon a knob is turned: by its key in the screen, and by `trimtab set`.

    python -m tests.bench.bench_knob_keys [--presses 10]

On an engine of the fake kind with the plugin's own server in it: while it answers HTTP, and while
its API server is stopped, so that connections are accepted and never answered. From the key `p` to
`applied` on the terminal, and from the start of the command to its end; median and slowest.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.pty_screen import PtyScreen
from tests.fakes.engine_trees import fake_engine
from tests.servers import REAL_PAGE

AIM_MS = 200.0
READY_S = 15.0
TURNED_S = 6.0
SILENT_S = 4.0
"""Over two of the recorder's reads, so that the screen knows that the engine does not answer."""


def press(screen: PtyScreen) -> float:
    """Turn prefix caching; milliseconds from the key until it was told to be applied."""
    screen.written = b""
    began = time.monotonic()
    screen.type("p")
    if screen.read(TURNED_S, until="applied in") is None:
        return float("inf")
    took = time.monotonic() - began
    screen.read(1.5)  # the next frame shows the value that the next press starts from
    return took * 1000


def command(url: str, db: Path) -> Callable[[], float]:
    """Run `trimtab set` on the engine at `url`; milliseconds until it has ended."""
    values = iter(range(1, 33))

    def run() -> float:
        asked = ["set", f"max_num_seqs={next(values)}", "--engine", url, "--db", str(db)]
        words = [sys.executable, "-m", "app", *asked]
        began = time.monotonic()
        ended = subprocess.run(words, capture_output=True, check=False)
        return (time.monotonic() - began) * 1000 if ended.returncode == 0 else float("inf")

    return run


def told(what: str, times: list[float]) -> None:
    """Print one line of the table."""
    times.sort()
    print(f"{what:44} {times[len(times) // 2]:8.1f} {times[-1]:9.1f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presses", type=int, default=10)
    presses = parser.parse_args().presses
    print(f"knob turned, ms (aim {AIM_MS:g})                       median   slowest")
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        os.environ["TRIMTAB_DATA_DIR"] = directory
        with fake_engine(place / "e", "m", plugins=[True], metrics=REAL_PAGE.decode()) as engine:
            turn = command(engine.url, place / "set.db")
            told("set, HTTP answers", [turn() for _ in range(presses)])
            with PtyScreen([engine.url, "--db", str(place / "keys.db")]) as screen:
                screen.read(READY_S, until="prefix caching")
                told("key, HTTP answers", [press(screen) for _ in range(presses)])
                os.kill(engine.pid, signal.SIGSTOP)
                screen.read(SILENT_S)
                told("key, HTTP never answers", [press(screen) for _ in range(presses)])
                told("set, HTTP never answers", [turn() for _ in range(presses)])


if __name__ == "__main__":
    main()
