"""Which GPUs the driver has, and which of their places do not answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engines.devices.nvml.library import Library, NvmlFault
from engines.devices.nvml.values import NO_NAME, Gpu
from store.foreign_text import printable


@dataclass(frozen=True, slots=True)
class Listing:
    """The GPUs by index, with their slices in place of those that MIG splits; `dead` says of an
    index that does not answer why."""

    gpus: tuple[Gpu, ...] = ()
    dead: Mapping[str, NvmlFault] = field(default_factory=dict)


def list_gpus(library: Library) -> Listing:
    """Ask the driver; raises `NvmlFault` where it does not tell even how many there are."""
    gpus: list[Gpu] = []
    dead: dict[str, NvmlFault] = {}
    for index in range(int(library.call("nvmlDeviceGetCount"))):
        try:
            gpus += _devices_at(library, index)
        except NvmlFault as fault:
            dead[str(index)] = fault
    return Listing(tuple(gpus), dead)


def _devices_at(library: Library, index: int) -> list[Gpu]:
    """The GPU at an index, or its MIG slices."""
    handle = library.call("nvmlDeviceGetHandleByIndex", index)
    slices = list(_slices(library, handle))
    if not slices:
        return [_describe(library, handle, str(index))]
    total = _memory_total(library, handle)
    devices = []
    for slice_index, slice_handle in enumerate(slices):
        slice_total = _memory_total(library, slice_handle)
        part = slice_total / total if total and slice_total else 1.0
        place = f"{index}:{slice_index}"
        instance = _or_none(library, "nvmlDeviceGetGpuInstanceId", slice_handle)
        devices.append(
            _describe(library, slice_handle, place, part, parent=handle, instance=instance)
        )
    return devices


def _describe(
    library: Library,
    handle: Any,
    index: str,
    part: float = 1.0,
    *,
    parent: Any = None,
    instance: int | None = None,
) -> Gpu:
    uuid = library.call("nvmlDeviceGetUUID", handle)
    try:
        name = printable(library.call("nvmlDeviceGetName", handle)) or NO_NAME
    except NvmlFault:  # drivers under WSL give bytes that are no text
        name = NO_NAME
    return Gpu(printable(uuid), name, index, handle, part, parent, instance)


def _slices(library: Library, handle: Any) -> Iterator[Any]:
    try:
        enabled, _ = library.call("nvmlDeviceGetMigMode", handle)
        count = library.call("nvmlDeviceGetMaxMigDeviceCount", handle) if enabled else 0
    except NvmlFault:
        return  # no MIG on this GPU
    for slice_index in range(count):
        slice_handle = _or_none(library, "nvmlDeviceGetMigDeviceHandleByIndex", handle, slice_index)
        if slice_handle is not None:  # else a place without a slice
            yield slice_handle


def _memory_total(library: Library, handle: Any) -> int | None:
    memory = _or_none(library, "nvmlDeviceGetMemoryInfo", handle)
    return None if memory is None else int(memory.total)


def _or_none(library: Library, function: str, *arguments: Any) -> Any:
    try:
        return library.call(function, *arguments)
    except NvmlFault:
        return None
