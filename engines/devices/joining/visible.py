"""What CUDA_VISIBLE_DEVICES and its kin leave of the GPUs, as CUDA reads them.

The list ends at the first word that names no device (CUDA C++ Programming Guide, "CUDA Environment
Variables"): an empty one and -1 name none. A word is a number, a UUID or the beginning of just one
(`GPU-8932f937`), or a MIG slice (`MIG-<uuid>`, and before driver 470 `MIG-GPU-<uuid>/g/c`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engines.devices.nvml import Gpu

VARIABLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
CONTAINER = "NVIDIA_VISIBLE_DEVICES"
"""What NVIDIA's container runtime gives a container; CUDA counts within it."""
_BY_BUS = "PCI_BUS_ID"
_NUMBER = re.compile(r"\d{1,4}")


@dataclass(frozen=True, slots=True)
class Visible:
    """The GPUs that a list leaves, in its order; `problem` says why that is not known."""

    gpus: tuple[Gpu, ...] = ()
    problem: str = ""


def visible(gpus: Sequence[Gpu], listed: str, order: str = "") -> Visible:
    """What `listed` (a value of CUDA_VISIBLE_DEVICES) leaves of `gpus`, which are in bus order.

    `order` is CUDA_DEVICE_ORDER: without PCI_BUS_ID CUDA counts the fastest first, which is the
    same only where all are alike.
    """
    chosen: list[Gpu] = []
    for word in (part.strip() for part in listed.split(",")):
        if _NUMBER.fullmatch(word) and order != _BY_BUS and not _alike(gpus):
            return Visible(problem=_ambiguous(listed))
        fitting = _named(gpus, word)
        if len(fitting) != 1:
            break
        if fitting[0] in chosen:
            return Visible(problem=f"{VARIABLE}={listed} names a GPU twice, which CUDA refuses")
        chosen.append(fitting[0])
    return Visible(tuple(chosen))


def in_container(gpus: Sequence[Gpu], listed: str | None) -> Sequence[Gpu]:
    """The GPUs that a container was given by NVIDIA_VISIBLE_DEVICES, in bus order as CUDA counts
    them there; all where it does not say."""
    words = [word.strip() for word in (listed or "").split(",") if word.strip()]
    if not words or words[0].casefold() in ("all", "void", "none"):
        return gpus
    given = {gpu.uuid for word in words for gpu in _named(gpus, word)}
    return [gpu for gpu in gpus if gpu.uuid in given]


def stated(gpus: Sequence[Gpu], listed: str) -> Visible:
    """What a person says that an engine holds: numbers as `trimtab doctor` shows them (`0`, a slice
    `0:1`), UUIDs or their beginnings, or `none`."""
    chosen: list[Gpu] = []
    for word in (part.strip() for part in listed.split(",")):
        if word.casefold() in ("", "none"):
            continue
        fitting = [gpu for gpu in gpus if gpu.index == word] or _named(gpus, word)
        if len(fitting) != 1:
            there = ", ".join(gpu.index for gpu in gpus) or "none"
            how_many = "no GPU" if not fitting else f"{len(fitting)} GPUs"
            return Visible(problem=f"{word!r} means {how_many} here (there are: {there})")
        if fitting[0] not in chosen:
            chosen.append(fitting[0])
    return Visible(tuple(chosen))


def _named(gpus: Sequence[Gpu], word: str) -> list[Gpu]:
    """The GPUs that a word can mean: more than one where it is not clear."""
    if _NUMBER.fullmatch(word):
        numbers = list(dict.fromkeys(number_of(gpu) for gpu in gpus))
        position = int(word)
        number = numbers[position] if position < len(numbers) else None
        return [gpu for gpu in gpus if number_of(gpu) == number]
    if word.startswith("MIG-GPU-"):
        card, _, place = word.removeprefix("MIG-").partition("/")
        return [gpu for gpu in gpus if gpu.uuid == f"MIG-{card}/{place}"]
    if len(word) > 4 and word.startswith(("GPU-", "MIG-")):
        return [gpu for gpu in gpus if gpu.uuid.startswith(word)]
    return []


def number_of(gpu: Gpu) -> str:
    """The number of the GPU that a device is, or is a slice of."""
    return gpu.index.partition(":")[0]


def _alike(gpus: Sequence[Gpu]) -> bool:
    return len({gpu.name.partition(" MIG ")[0] for gpu in gpus}) <= 1


def _ambiguous(listed: str) -> str:
    return (
        f"{VARIABLE}={listed} counts the fastest first among GPUs that are not alike: "
        f"start the engine with {ORDER}={_BY_BUS}"
    )
