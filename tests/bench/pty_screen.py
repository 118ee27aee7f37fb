"""The screen in a pseudo-terminal: what it writes, and what it costs."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import psutil

_ESCAPE = re.compile(rb"\x1b\[[0-9;?<>=$ ]*[a-zA-Z@]|\x1b[P\]].*?(?:\x1b\\|\x07)|\x1b.")


@dataclass
class PtyScreen:
    """`trimtab ARGUMENTS` on a terminal of `columns` x `rows`; a context manager. `prefix` are the
    words of a program that runs it."""

    arguments: Sequence[str]
    columns: int = 200
    rows: int = 50
    environ: dict[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    written: bytes = b""

    def __enter__(self) -> PtyScreen:
        self._began = time.monotonic()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            size = struct.pack("HHHH", self.rows, self.columns, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            environ = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            command = [*self.prefix, sys.executable, "-m", "app", *self.arguments]
            os.execvpe(command[0], command, environ | self.environ)
        self.process = psutil.Process(self.pid)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.running():
            self.type("q")
            self.read(5, until=None)
        if self.running():
            self.process.kill()
            os.waitpid(self.pid, 0)
        os.close(self._master)

    def running(self) -> bool:
        """Whether it has not ended; collects its status when it has."""
        try:
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return False

    def hang_up(self) -> None:
        """Take its terminal away, as when an SSH connection is cut."""
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, self._master)
        os.close(nothing)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def read(self, seconds: float, until: str | None = None) -> float | None:
        """Take what it writes for so long, or until a text stands in it; seconds since the start
        when it did, None when it did not."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._master], [], [], left)[0]:
                try:
                    self.written += os.read(self._master, 1 << 16)
                except OSError:  # it has closed its terminal
                    return None
                if until is not None and until in self.text():
                    return time.monotonic() - self._began
        return None

    def text(self) -> str:
        """All it has written, without what steers the terminal."""
        return _ESCAPE.sub(b"", self.written).decode("utf-8", "replace")

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def peak_mib(self) -> float:
        """The most memory it has held, in MiB (VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024
