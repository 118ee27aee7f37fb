"""The keeper: reads a `Memory` as JSON on its standard input and keeps its launch supervised.

A second line tells how it comes to the address (`engines/supervisor/adopting/beginning.py`).

It does nothing but hold the listening socket and wait, so that there is little to go wrong in it.
The supervisor is a fork of it: one that was killed is followed by another, which finds the engine
as it is and takes it over. It ends with the supervisor's exit status.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from functools import partial

from engines.supervisor.adopting.beginning import beginning_from_line
from engines.supervisor.common.backoff import Backoff
from engines.supervisor.common.memory import Memory, from_line, to_line
from engines.supervisor.life.shared import Life
from engines.supervisor.supervise import supervise

BROKEN = 70
"""Exit status of a supervisor that broke (sysexits.h: internal software error)."""


def main() -> int:
    """Keep until the supervisor ends by itself."""
    line, beginning = sys.stdin.read().splitlines()
    memory = from_line(line)
    try:
        listener, adoption = beginning_from_line(beginning).take_on(memory.launch)
    except OSError as error:
        sys.stderr.write(f"cannot listen on {memory.launch.url}: {error.strerror}\n")
        return 1
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    backoff = Backoff()
    while True:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os._exit(_supervise(Life(memory, listener, partial(write_memory, writer), adoption)))
        os.close(writer)
        began = time.monotonic()
        _pass_on(child)
        # The pipe ends with the supervisor, perhaps in the midst of a line.
        with os.fdopen(reader, encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    memory = from_line(line)
                    adoption = None  # it has come to its end
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code >= 0 and code != BROKEN:
            return code
        how = "broke" if code == BROKEN else f"was killed by signal {-code}"
        pause = backoff.crashed(time.monotonic() - began)
        if pause is None:
            name = memory.launch.name
            sys.stderr.write(
                f"the supervisor {how}, again and again: GIVEN UP. The engine serves on\n"
            )
            sys.stderr.write(f"without one; `trimtab adopt {name}` gives it another\n")
            return BROKEN
        sys.stderr.write(f"the supervisor {how}; another one in {pause:g} s\n")
        sys.stderr.flush()
        time.sleep(pause)


def _supervise(life: Life) -> int:
    """Its exit status; `BROKEN` where it raised what nobody had thought of."""
    try:
        return supervise(life)
    except BaseException:  # this process ends here, and another one follows
        traceback.print_exc()
        return BROKEN


def _pass_on(child: int) -> None:
    """Let who asks the keeper to end ask the supervisor."""

    def tell(number: int, _: object) -> None:
        os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)


def write_memory(descriptor: int, memory: Memory) -> None:
    """Tell the keeper what the next supervisor is to know; without a keeper there is none to be."""
    with contextlib.suppress(OSError), os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as pipe:
        pipe.write(to_line(memory))


if __name__ == "__main__":
    sys.exit(main())
