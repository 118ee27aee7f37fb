"""Whether a variant fits: what it needs against what is free, in a verdict with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engines.command_line.arguments import read_arguments
from engines.command_line.flags import last_value
from engines.engine_info import EngineInfo
from engines.host.cores import BIND, CHOSEN, available_cores, lacks_avx512, why_not_beside
from engines.host.processes import serve_arguments
from engines.host.procfs import environment, working_directory
from engines.variants.checkpoint.files import model_place
from engines.variants.checkpoint.weights import Weights, read_weights
from engines.variants.merge import merged_arguments
from engines.variants.needs import DEFAULT_UTILISATION, OVERHEAD, Needs, needs
from engines.variants.room import Room, room_of
from engines.variants.variant import Variant
from store.metrics.formats import format_bytes

Verdict = Literal["fits beside", "fits after stop", "does not fit", "unknown"]
_VARIABLES = ("VLLM_CPU_KVCACHE_SPACE",)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a variant would take and whether there is room, in bytes of one device.

    Where an engine spreads over several GPUs, all figures are of the tightest one. `memory_bytes`
    is weights + KV cache + overhead where the KV cache was given a size, else the part of the
    device that vLLM takes for itself (`--gpu-memory-utilization` × total). None is unknown.
    """

    weights_bytes: int | None
    memory_bytes: int | None
    free_bytes: int | None
    free_after_stop_bytes: int | None
    device: str
    verdict: Verdict
    reason: str


def estimate(
    variant: Variant,
    running: EngineInfo,
    *,
    weights: Weights | None = None,
    rooms: Sequence[Room] | None = None,
    arguments: Sequence[str] | None = None,
) -> Estimate:
    """Whether the variant fits on the devices of the engine it would replace.

    `weights` and `rooms` save reading again what the caller has read; `arguments` are the whole of
    what follows `vllm serve`, if they are not the running ones with the variant's. Never raises;
    without `rooms` it may take as long as NVML lets it wait.
    """
    command = serve_arguments(running.arguments)
    if running.pid is None or command is None:
        reason = "the engine is not on this machine" if running.pid is None else "it has no command"
        return _unknown("", f"{reason}: what it holds cannot be seen")
    if arguments is None:
        arguments = merged_arguments(command, variant)
    if weights is None:
        weights = weights_of(variant, running)
    rooms = room_of(running) if rooms is None else rooms
    if weights.problem:
        return _unknown(rooms[0].device if rooms else "", weights.problem)
    if not rooms:
        return _unknown("", "the GPUs that the engine computes on cannot be seen")
    on_host = rooms[0].device == "host"
    required = needs(arguments, _variables(variant, running.pid), weights, on_cpu=on_host)
    if last_value(arguments, "config") is not None:
        return _unknown(rooms[0].device, "its --config file is not read: it may set any limit")
    if not on_host and required.devices > len(rooms):
        shortage = f"it needs {required.devices} GPUs and the running engine holds {len(rooms)}"
        return _unknown(rooms[0].device, f"{shortage}: which others it would get is not known")
    estimates = [_on_device(required, room, on_host) for room in rooms[: required.devices]]
    if on_host:
        estimates = [_with_cores(estimated, variant, running.pid) for estimated in estimates]
        estimates = [_with_kernels(estimated, weights, arguments) for estimated in estimates]
    return max(
        estimates,
        key=lambda on_device: (_ORDER.index(on_device.verdict), -(on_device.free_bytes or 0)),
    )


def weights_of(variant: Variant, running: EngineInfo) -> Weights:
    """The files of the variant's model; a relative path is relative to where the engine runs."""
    directory = None if running.pid is None else working_directory(running.pid)
    return read_weights(model_place(variant.model, directory))


def running_variant(running: EngineInfo) -> Variant | None:
    """The engine as it is, as a variant; None where its command line does not tell its model."""
    model = read_arguments(serve_arguments(running.arguments) or ()).model
    return None if model is None else Variant(running.name, model, origin="start", note="running")


def _with_cores(estimated: Estimate, variant: Variant, pid: int) -> Estimate:
    """Memory for both is not enough where both would have the same cores."""
    if estimated.verdict != "fits beside":
        return estimated
    inherited = environment(pid, (BIND, CHOSEN)) or {}
    why = why_not_beside(inherited, variant.environment, available_cores(pid))
    if not why:
        return estimated
    return replace(estimated, verdict="fits after stop", reason=f"{estimated.reason}, but {why}")


def _with_kernels(estimated: Estimate, weights: Weights, arguments: Sequence[str]) -> Estimate:
    """Memory is not all: vLLM 0.32 has some kernels for x86 in its AVX-512 build only.

    Without `cpu_gemm_wna16` an engine with 4-bit weights starts, and fails at its first request;
    with a KV cache in 8 bits it does not start.
    """
    if not lacks_avx512():
        return estimated
    if "int4" in (weights.quantisation or ""):
        what = "multiplies 4-bit weights by"
    elif (last_value(arguments, "kv-cache-dtype") or "").startswith("fp8"):
        what = "keeps a KV cache in 8 bits by"
    else:
        return estimated
    why = f"vLLM {what} AVX-512, which this CPU has not"
    return replace(estimated, verdict="does not fit", reason=why)


_ORDER: tuple[Verdict, ...] = ("fits beside", "fits after stop", "unknown", "does not fit")


def _unknown(device: str, reason: str) -> Estimate:
    return Estimate(None, None, None, None, device, "unknown", reason)


def _variables(variant: Variant, pid: int) -> dict[str, str]:
    """The engine's variables that decide on memory, under the variant's own."""
    inherited: Mapping[str, str] = environment(pid, _VARIABLES) or {}
    return {**inherited, **variant.environment}


def _on_device(required: Needs, room: Room, on_host: bool) -> Estimate:
    """The verdict on one device.

    vLLM starts only where `must_be_free` is free: on a GPU that is its whole share, whatever the
    KV cache was told (v1/worker/utils.py, request_memory); on the CPU its share where the KV cache
    was told nothing (v1/worker/cpu_worker.py).
    """
    share = None if room.total is None else int(required.utilisation * room.total)
    memory = share
    if required.kv_cache is not None:
        memory = (
            None if required.weights is None else required.weights + required.kv_cache + OVERHEAD
        )
    must_be_free = memory if on_host or memory is None else max(memory, share or 0)
    verdict, reason = _judge(required, room, memory, must_be_free)
    return Estimate(
        required.weights, memory, room.free, room.free_after_stop, room.device, verdict, reason
    )


def _judge(
    required: Needs, room: Room, memory: int | None, must_be_free: int | None
) -> tuple[Verdict, str]:
    least, free_after_stop = required.least, room.free_after_stop
    if memory is None or must_be_free is None or room.free is None or least is None:
        return "unknown", f"what {room.device} has free or what it needs is not told"
    cache = required.kv_cache
    if cache is not None and required.one_request is not None and required.one_request > cache:
        longest = f"one request of the greatest length needs {format_bytes(required.one_request)}"
        return "does not fit", f"its KV cache of {format_bytes(cache)} is too small: {longest}"
    if cache is None and least > memory:
        return "does not fit", (
            f"weights, one request's KV cache and overhead need {format_bytes(least)}, "
            f"its share of {room.device} is {format_bytes(memory)}"
        )
    needed = f"{format_bytes(must_be_free)} needed on {room.device}"
    free = f"{format_bytes(room.free)} free"
    if must_be_free <= room.free:
        return "fits beside", f"{needed}, {free}"
    hint = _hint(required, room, least)
    if free_after_stop is None:
        return "unknown", f"{needed}, {free}; what the running engine's end sets free is hidden"
    stopped = f"{format_bytes(free_after_stop)} once the running engine stops"
    verdict: Verdict = "fits after stop" if must_be_free <= free_after_stop else "does not fit"
    return verdict, f"{needed}, {free}, {stopped}{hint}"


def _hint(required: Needs, room: Room, least: int) -> str:
    """How a share that is taken for granted could be made to fit beside the running engine."""
    if required.kv_cache is not None or not room.total or room.free is None or least > room.free:
        return ""
    fraction = int(100 * room.free / room.total) / 100
    if not least / room.total <= fraction < required.utilisation <= DEFAULT_UTILISATION:
        return ""
    return f"; with --gpu-memory-utilization {fraction:g} it would fit beside"
