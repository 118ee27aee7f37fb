"""The terminal as Textual writes to it, which may go away at any moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO


class Terminal:
    """A terminal's file. Once it cannot be written (an SSH connection was cut) `lost` is called,
    and what is written after that goes nowhere.

    Textual writes in a thread that would end with the first error; closing the screen then waits
    for ever until that thread takes what it is given.
    """

    def __init__(self, file: TextIO, lost: Callable[[], object]) -> None:
        self._file = file
        self._lost = lost
        self._is_lost = False

    def write(self, text: str) -> int:
        """Write, or lose it."""
        self._do(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or lose it."""
        self._do(self._file.flush)

    def fileno(self) -> int:
        """That of the terminal."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether it is one."""
        return self._file.isatty()

    def _do(self, work: Callable[[], object]) -> None:
        if self._is_lost:
            return
        try:
            work()
        except OSError:
            self._is_lost = True
            self._lost()
