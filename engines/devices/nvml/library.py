"""NVIDIA's management library, loaded when first asked and never in the way.

Every call either answers or raises `NvmlFault`, whatever happens inside: pynvml raises other errors
than its own, too (UnicodeDecodeError for a name that is no text). Any call may be slow or hang with
a sick driver: call from a thread of `engines.devices.calls`.
"""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

from store.foreign_text import printable

LIBRARY = "libnvidia-ml.so.1"

UNINITIALISED = 1
INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NO_PERMISSION = 4
NOT_FOUND = 6
TIMEOUT = 10
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
GPU_NOT_FOUND = 28
NO_CODE = -1
"""Of what went wrong without an answer of NVML's."""

FOR_GOOD = frozenset({NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND})
"""Answers that need not be asked for again of the same GPU."""
STALE = frozenset({UNINITIALISED, INVALID_ARGUMENT, NOT_FOUND})
"""Answers of a driver that was loaded anew, or of a MIG slice that is no more."""
LOST = frozenset({GPU_IS_LOST, RESET_REQUIRED, GPU_NOT_FOUND})


class NvmlFault(Exception):
    """NVML's answer was no value; `code` is its number."""

    def __init__(self, text: str, code: int = NO_CODE) -> None:
        super().__init__(text)
        self.code = code


class Library:
    """pynvml with the driver's library behind it. Safe to share between threads, as NVML is."""

    def __init__(self) -> None:
        self._pynvml: Any = None
        self._is_started = False

    @property
    def is_started(self) -> bool:
        """Whether NVML answers calls, as far as is known."""
        return self._is_started

    def start(self) -> None:
        """Load and initialise; raises `NvmlFault`, after which it may be tried again."""
        try:
            # Far cheaper than importing pynvml on the many machines without a driver.
            ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise NvmlFault(f"no NVIDIA driver here ({LIBRARY} cannot be loaded)") from error
        self._pynvml = importlib.import_module("pynvml")
        try:
            self.call("nvmlInit")
        except NvmlFault as fault:
            raise NvmlFault(f"NVML does not start: {fault}", fault.code) from fault
        self._is_started = True

    def stop(self) -> None:
        """Let go of the driver, so that the next start sees one that was loaded anew."""
        self._is_started = False
        try:
            self.call("nvmlShutdown")
        except NvmlFault:
            return

    def call(self, function: str, *arguments: Any) -> Any:
        """What a function of pynvml answers; raises `NvmlFault`."""
        nvml = self._pynvml
        if nvml is None:
            raise NvmlFault("NVML was not started", UNINITIALISED)
        try:
            return getattr(nvml, function)(*arguments)
        except nvml.NVMLError as error:
            raise NvmlFault(printable(str(error)), int(error.value)) from error
        except Exception as error:
            raise NvmlFault(f"{function} broke: {type(error).__name__}") from error

    def constant(self, name: str) -> Any:
        """A name of pynvml's: a number or a structure."""
        return getattr(self._pynvml, name)
