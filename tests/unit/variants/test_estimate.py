"""Whether a variant fits."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from engines.engine_info import EngineInfo
from engines.host import memory as host_module
from engines.host.memory import host_memory, private_bytes
from engines.variants.checkpoint.weights import Weights
from engines.variants.estimates import Estimate, estimate
from engines.variants.needs import GIB, OVERHEAD, needs
from engines.variants.room import Room
from engines.variants.variant import Variant
from tests.fakes.engine_trees import fake_engine
from tests.unit.devices.test_gpus import H200, Driver, driver, library  # noqa: F401

FILES = Weights(
    bytes_on_disk=10 * GIB, kv_values=1 << 16, max_length=8192, tensors={"F16": 10 * GIB}
)
"""One request of the greatest length: 8192 × 65,536 × 2 bytes = 1 GiB."""


def running(*arguments: str) -> EngineInfo:
    # Our own PID: a process that lives and has none of vLLM's variables.
    command = ("vllm", "serve", "/m", *arguments)
    return EngineInfo(url="http://x", name="x", pid=os.getpid(), arguments=command)


def gpu(free: float, held: float | None, total: float | None = 80, index: int = 0) -> Room:
    def whole(amount: float | None) -> int | None:
        return None if amount is None else int(amount * GIB)

    return Room(f"gpu {index}", whole(total), whole(free), whole(held))


def judged(*rooms: Room, words: str = "", files: Weights = FILES) -> Estimate:
    variant = Variant("v", "/m", tuple(words.split()))
    return estimate(variant, running(), weights=files, rooms=rooms)


def host(free: float, held: float = 2) -> Room:
    return replace(gpu(free, held), device="host")


@pytest.mark.parametrize(
    ("rooms", "words", "verdict", "said"),
    [
        ([gpu(6, 73)], "", "fits after stop", "73.6 GiB needed on gpu 0"),
        ([gpu(40, 39)], "", "fits after stop", "with --gpu-memory-utilization 0.5 it would fit"),
        ([gpu(40, 39)], "--gpu-memory-utilization 0.4", "fits beside", "32 GiB needed"),
        ([gpu(40, 10)], "", "does not fit", "50 GiB once the running engine stops"),
        ([gpu(40, None)], "", "unknown", "hidden"),
        ([gpu(40, 10, total=None)], "", "unknown", "not told"),
        ([gpu(40, 39)], "--gpu-memory-utilization 0.1", "does not fit", "its share of gpu 0 is 8"),
        # A size for the KV cache does not lift vLLM's demand for its whole share.
        ([gpu(40, 39)], "--kv-cache-memory-bytes 2G", "fits after stop", "73.6 GiB needed"),
        ([gpu(40, 39)], "--config x.yaml", "unknown", "--config"),
        ([gpu(75, 2)], "-tp 2", "unknown", "needs 2 GPUs and the running engine holds 1"),
        ([gpu(75, 2), gpu(6, 70, index=1)], "-tp 2", "fits after stop", "gpu 1"),
        ([gpu(75, 2), gpu(6, 70, index=1)], "", "fits beside", "gpu 0"),
        ([host(20)], "--kv-cache-memory-bytes 2G", "fits beside", "13.5 GiB needed on host"),
        ([host(12)], "--kv-cache-memory-bytes 2G", "fits after stop", "14 GiB once"),
        ([host(5)], "--kv-cache-memory-bytes 2G", "does not fit", "7 GiB once"),
        ([host(20)], "--kv-cache-memory-bytes 512M", "does not fit", "KV cache of 512 MiB"),
        ([], "", "unknown", "cannot be seen"),
    ],
)
def test_verdicts(rooms: list[Room], words: str, verdict: str, said: str) -> None:
    told = judged(*rooms, words=words)
    assert (told.verdict, said in told.reason) == (verdict, True), told


def test_what_cannot_be_read_is_unknown_with_its_reason() -> None:
    told = judged(gpu(40, 39), files=Weights(problem="m.safetensors is cut short"))
    assert (told.verdict, told.reason) == ("unknown", "m.safetensors is cut short")
    distant = replace(running(), pid=None)
    assert estimate(Variant("v", "/m"), distant).verdict == "unknown"
    missing = estimate(Variant("v", "/no/such"), running(), rooms=[host(20)])
    assert (missing.verdict, missing.reason) == ("unknown", "there is no directory /no/such")


@pytest.mark.parametrize(
    ("words", "weights", "one_request"),
    [
        ("", 10, 1),
        ("--dtype float32", 20, 2),
        ("--dtype=half --max-model-len 4K", 10, 0.5),
        ("--kv-cache-dtype fp8", 10, 0.5),
        ("-tp 2", 5, 0.5),
        ("--max-model-len 16K", 10, 2),
    ],
)
def test_needs(words: str, weights: float, one_request: float) -> None:
    told = needs(words.split(), {}, FILES, on_cpu=False)
    assert (told.weights, told.one_request) == (weights * GIB, one_request * GIB)
    assert told.least == weights * GIB + one_request * GIB + OVERHEAD


def test_only_floats_change_their_width() -> None:
    files = replace(FILES, tensors={"I32": 4 * GIB, "F16": GIB, "F8_E4M3": GIB})
    assert needs(["--dtype", "float32"], {}, files, on_cpu=False).weights == 7 * GIB
    assert needs([], {}, replace(FILES, tensors={}), on_cpu=False).weights == 10 * GIB


def test_the_kv_cache_of_the_cpu_comes_from_its_variable() -> None:
    told = {"VLLM_CPU_KVCACHE_SPACE": "3"}
    assert needs([], told, FILES, on_cpu=True).kv_cache == 3 * GIB
    assert needs([], told, FILES, on_cpu=False).kv_cache is None
    assert needs([], {"VLLM_CPU_KVCACHE_SPACE": "x"}, FILES, on_cpu=True).kv_cache is None


def test_a_variants_own_variable_counts() -> None:
    variant = Variant("v", "/m", environment={"VLLM_CPU_KVCACHE_SPACE": "4"})
    told = estimate(variant, running(), weights=FILES, rooms=[host(30)])
    assert told.memory_bytes == 14 * GIB + OVERHEAD


def test_the_host_has_memory_and_we_hold_some() -> None:
    told = host_memory(os.getpid())
    assert 0 < (told.available or 0) < (told.total or 0)
    before = private_bytes(os.getpid()) or 0
    ballast = bytearray(os.urandom(1) * (64 << 20))
    assert (private_bytes(os.getpid()) or 0) - before > len(ballast) // 2
    assert private_bytes(2**22 + 1) is None


@pytest.mark.parametrize("version", [1, 2])
def test_a_control_group_limits_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    files = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }[version]
    mount = tmp_path / "memory" if version == 1 else tmp_path
    for place, limit in (("a", 8 << 20), ("a/b", 1 << 62)):
        group = mount / place
        group.mkdir(parents=True)
        (group / files[0]).write_text("max\n" if limit == 1 << 62 and version == 2 else f"{limit}")
        (group / files[1]).write_text(str(5 << 20))
        (group / "memory.stat").write_text(f"anon 7\n{files[2]} {1 << 20}\n")
    line = "0::/a/b\n" if version == 2 else "3:cpu,memory:/a/b\n"
    read = host_module.read_text
    monkeypatch.setattr(
        host_module, "read_text", lambda path: line if path.endswith("/cgroup") else read(path)
    )
    told = host_memory(1, tmp_path)
    assert (told.total, told.available) == (8 << 20, 4 << 20)


def test_a_gpus_room(driver: Driver, tmp_path: Path) -> None:  # noqa: F811
    code = """
from engines.engine_info import EngineInfo
from engines.variants.room import room_of
engine = EngineInfo(url="x", name="x", pid=ENGINE)
scenario(**{"0_processes": f"{ENGINE}:%d" % (3 << 28)})
told([asdict(room) | {"after": room.free_after_stop} for room in room_of(engine)])
"""
    with fake_engine(tmp_path / "e", "m") as engine:
        (room,) = driver.run(H200, code.replace("ENGINE", str(engine.pid)))
    assert room["device"] == "gpu 0"
    assert (room["total"], room["free"]) == (4 * GIB, 3 * GIB)
    assert (room["held"], room["after"]) == (3 << 28, 3 * GIB + (3 << 28))
