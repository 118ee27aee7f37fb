"""The keeper: reads a `Memory` as JSON on its standard input and keeps its launch supervised.

A second line tells how it comes to the address (`engines/supervisor/takeover/beginning.py`).

It does nothing but hold the listening socket and wait, so that there is little to go wrong in it.
The supervisor is a fork of it: one that was killed is followed by another, which finds the engine
as it is and takes it over. It ends with the supervisor's exit status.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from functools import partial

from engines.serving.stopping import DRAIN_S
from engines.supervisor.common.backoff import Backoff
from engines.supervisor.common.memory import GivenBack, Memory, from_line, to_line
from engines.supervisor.process import supervise
from engines.supervisor.states.context import Context
from engines.supervisor.takeover.beginning import beginning_from_line

_STOP = (signal.SIGTERM, signal.SIGINT)
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
    stop_asked = StopAsked()
    while True:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            stop_asked.leave_to_child()
            os._exit(_supervise(Context(memory, listener, partial(write_memory, writer), adoption)))
        os.close(writer)
        began = time.monotonic()
        stop_asked.pass_on(child)
        # The pipe ends with the supervisor, perhaps in the midst of a line.
        with os.fdopen(reader, encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    memory = from_line(line)
                    # The adoption has come to its end, but for one that was given back: the next
                    # supervisor looks what becomes of that.
                    if not isinstance(memory.under_way, GivenBack):
                        adoption = None
        _, status = os.waitpid(child, 0)
        stop_asked.child_ended()
        code = os.waitstatus_to_exitcode(status)
        if code >= 0 and code != BROKEN:
            return code
        ending = "broke" if code == BROKEN else f"was killed by signal {-code}"
        pause = backoff.crashed(time.monotonic() - began)
        if pause is None:
            name = memory.launch.name
            sys.stderr.write(
                f"the supervisor {ending}, again and again: GIVEN UP. The engine serves on\n"
            )
            sys.stderr.write(f"without one; `trimtab adopt {name}` gives it another\n")
            return BROKEN
        sys.stderr.write(f"the supervisor {ending}; another one in {pause:g} s\n")
        sys.stderr.flush()
        if stop_asked.wait(pause):
            memory = memory.stopping(DRAIN_S)


def _supervise(context: Context) -> int:
    """Its exit status; `BROKEN` where it raised what nobody had thought of."""
    try:
        return supervise(context)
    except BaseException:  # this process ends here, and another one follows
        traceback.print_exc()
        return BROKEN


class StopAsked:
    """Who asks the keeper to end asks the supervisor, or the next one where there is none now."""

    def __init__(self) -> None:
        self._child: int | None = None
        self._asked = threading.Event()
        for number in _STOP:
            signal.signal(number, self._tell)

    def pass_on(self, child: int) -> None:
        """The supervisor is this child, which has not been waited for."""
        self._child = child
        if self._asked.is_set():
            os.kill(child, signal.SIGTERM)

    def child_ended(self) -> None:
        """Its PID may be another process's from now on."""
        self._child = None

    def leave_to_child(self) -> None:
        """In the child: whoever signals it means itself."""
        for number in _STOP:
            signal.signal(number, signal.SIG_DFL)

    def wait(self, seconds: float) -> bool:
        """Let the time pass, or less; whether a stop has been asked for."""
        return self._asked.wait(seconds)

    def _tell(self, number: int, _: object) -> None:
        self._asked.set()
        if self._child is not None:
            os.kill(self._child, number)


def write_memory(descriptor: int, memory: Memory) -> None:
    """Tell the keeper what the next supervisor is to know; without a keeper there is none to be."""
    with contextlib.suppress(OSError), os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as pipe:
        pipe.write(to_line(memory))


if __name__ == "__main__":
    sys.exit(main())
