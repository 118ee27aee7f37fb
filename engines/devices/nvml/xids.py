"""XIDs: the errors that the driver reports of a GPU while it works, told as events.

NVML hands an event to whoever waits for it, so a thread of its own waits; what came before it began
is not known. Where a GPU has no such events its count stays None.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from engines.devices.nvml.library import TIMEOUT, Library, NvmlFault
from engines.devices.nvml.values import Gpu

_XID = 0x8
"""nvmlEventTypeXidCriticalError."""
_WAIT_MS = 1_000
_PAUSE_S = 5.0
_WHOLE = 0xFFFFFFFF
"""The instance number of an event that is not of one MIG slice."""


class XidWatch:
    """Counts XIDs by UUID from `follow` on."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._followed: dict[str, Gpu] = {}
        self._unregistered: list[Gpu] = []
        self._counts: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._thread: threading.Thread | None = None

    def follow(self, gpus: Iterable[Gpu]) -> None:
        """From now on count those of these GPUs, too."""
        with self._lock:
            new = [gpu for gpu in gpus if self._followed.get(gpu.uuid) is not gpu]
            self._followed.update((gpu.uuid, gpu) for gpu in new)
            self._unregistered += new
            if new and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nvml xids", daemon=True)
                self._thread.start()

    def count(self, uuid: str) -> int | None:
        """How many there were; None where the GPU does not tell."""
        return self._counts.get(uuid)

    def last(self, uuid: str) -> int | None:
        """The number of the last one, as in NVIDIA's list of XID errors."""
        return self._last.get(uuid)

    def _run(self) -> None:
        while True:
            try:
                events = self._library.call("nvmlEventSetCreate")
                with self._lock:
                    self._unregistered = list(self._followed.values())
                while True:
                    self._register(events)
                    self._wait(events)
            except NvmlFault:
                time.sleep(_PAUSE_S)  # a driver that was loaded anew wants another set

    def _register(self, events: Any) -> None:
        with self._lock:
            new, self._unregistered = self._unregistered, []
        for gpu in new:
            try:
                handle = gpu.parent or gpu.handle
                self._library.call("nvmlDeviceRegisterEvents", handle, _XID, events)
                self._counts.setdefault(gpu.uuid, 0)
            except NvmlFault:
                continue  # a GPU or driver without them

    def _wait(self, events: Any) -> None:
        try:
            event = self._library.call("nvmlEventSetWait_v2", events, _WAIT_MS)
        except NvmlFault as fault:
            if fault.code == TIMEOUT:
                return
            raise
        if event.eventType != _XID:
            return
        with self._lock:
            meant = _meant(self._followed, event)
        for uuid in meant:
            self._last[uuid] = int(event.eventData)
            self._counts[uuid] = self._counts.get(uuid, 0) + 1


def _meant(followed: Mapping[str, Gpu], event: Any) -> list[str]:
    """The GPUs of an event: of a GPU that MIG splits the slice it names, or all of them."""
    address = _address(event.device)
    return [
        gpu.uuid
        for gpu in followed.values()
        if _address(gpu.parent or gpu.handle) == address
        and (gpu.parent is None or event.gpuInstanceId in (_WHOLE, gpu.instance))
    ]


def _address(handle: Any) -> int | None:
    return ctypes.cast(handle, ctypes.c_void_p).value
