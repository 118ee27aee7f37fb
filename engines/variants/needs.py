"""How much memory an engine would take, from its arguments and its model's files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engines.command_line.flags import last_value
from engines.variants.checkpoint.safetensors import FLOATS
from engines.variants.checkpoint.weights import Weights

GIB = 1 << 30
OVERHEAD = 3 * GIB // 2
"""Bytes that an engine takes besides weights and KV cache. Measured with vLLM 0.32 on the CPU:
1.45 GB private memory of API server, EngineCore and Worker together. On a GPU it stands for the
activations, the context and the graphs, which vLLM measures only when it has started."""

DEFAULT_UTILISATION = 0.92
"""Of vLLM 0.32 (config/cache.py)."""

_WIDTH = {"float32": 4, "float": 4, "half": 2, "float16": 2, "bfloat16": 2, "auto": 2}
_STORED_WIDTH = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_TIMES = {"": 1} | {
    letter: base ** (power + 1)
    for letters, base in (("kmgt", 1000), ("KMGT", 1024))
    for power, letter in enumerate(letters)
}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)([kmgtKMGT]?)")
_EIGHT_BITS = ("fp8", "int8")
_FOUR_BITS = ("int4", "nvfp4")


@dataclass(frozen=True, slots=True)
class Needs:
    """Bytes on each of `devices` devices.

    `weights` are loaded, `one_request` is the KV cache of one request of the greatest length,
    `kv_cache` what was told for all of it; where nothing was, vLLM takes `utilisation` (0..1) of
    the device and leaves to the KV cache what remains. None is unknown.
    """

    weights: int | None
    one_request: int | None
    kv_cache: int | None
    utilisation: float
    devices: int

    @property
    def least(self) -> int | None:
        """What it cannot do without: weights, overhead, and a KV cache for one request."""
        if self.weights is None:
            return None
        return self.weights + OVERHEAD + (self.one_request or 0)


def needs(
    arguments: Sequence[str], environment: Mapping[str, str], weights: Weights, *, on_cpu: bool
) -> Needs:
    """What `vllm serve ARGUMENTS` needs.

    Weights are the tensors, those in floating point in the type they are computed in
    (`--dtype`; `auto` is 16 bits whatever the file has), spread over tensor and pipeline ranks.
    """
    ranks = _number(arguments, "tensor-parallel-size") * _number(
        arguments, "pipeline-parallel-size"
    )
    width = _WIDTH.get(last_value(arguments, "dtype") or "auto", 2)
    loaded = _loaded(weights, width)
    kv_cache = _bytes(last_value(arguments, "kv-cache-memory-bytes"))
    cpu_space = environment.get("VLLM_CPU_KVCACHE_SPACE", "")
    if on_cpu and cpu_space.isascii() and cpu_space.isdigit() and int(cpu_space):
        kv_cache = int(cpu_space) * GIB
    return Needs(
        weights=None if loaded is None else loaded // ranks,
        one_request=_one_request(arguments, weights, width, ranks),
        kv_cache=kv_cache,
        utilisation=_utilisation(arguments),
        devices=ranks * _number(arguments, "data-parallel-size"),
    )


def _loaded(weights: Weights, width: int) -> int | None:
    if not weights.tensors:
        return weights.bytes_on_disk
    return sum(
        size * width // _STORED_WIDTH[kind] if kind in FLOATS else size
        for kind, size in weights.tensors.items()
    )


def _one_request(arguments: Sequence[str], weights: Weights, width: int, ranks: int) -> int | None:
    """Tokens of the longest request × numbers kept for one × bytes of a number, on one rank."""
    limit = last_value(arguments, "max-model-len")
    length = weights.max_length if limit is None else _bytes(limit)
    if length is None or weights.kv_values is None:
        return None
    kind = last_value(arguments, "kv-cache-dtype") or "auto"
    bits = 8 * (width if kind == "auto" else _WIDTH.get(kind, width))
    if kind.startswith(_EIGHT_BITS):
        bits = 8
    elif kind.startswith(_FOUR_BITS):
        bits = 4
    return length * weights.kv_values * bits // 8 // ranks


def _utilisation(arguments: Sequence[str]) -> float:
    try:
        share = float(last_value(arguments, "gpu-memory-utilization") or DEFAULT_UTILISATION)
    except ValueError:
        return DEFAULT_UTILISATION
    return share if 0 < share <= 1 else DEFAULT_UTILISATION


def _number(arguments: Sequence[str], flag: str) -> int:
    number = last_value(arguments, flag) or ""
    return max(1, int(number)) if number.isascii() and number.isdigit() else 1


def _bytes(amount: str | None) -> int | None:
    """A whole number as vLLM reads it: `2048`, `2k` (2,000), `2K` (2,048); None for `auto`."""
    match = _AMOUNT.fullmatch(amount or "")
    return int(float(match[1]) * _TIMES[match[2]]) if match else None
