"""CUDA_VISIBLE_DEVICES, NVIDIA_VISIBLE_DEVICES and a person's list, as they name GPUs."""

from __future__ import annotations

import pytest

from engines.devices.joining.visible import in_container, stated, visible
from engines.devices.nvml import Gpu

UUIDS = ("GPU-8932f937-d72c", "GPU-8932aaaa-0000", "GPU-31bf", "GPU-77")
ALIKE = [Gpu(uuid, "NVIDIA H100 80GB HBM3", str(i), None) for i, uuid in enumerate(UUIDS)]
MIXED = [Gpu("GPU-aaaa", "NVIDIA L4", "0", None), Gpu("GPU-bbbb", "NVIDIA L40S", "1", None)]
SLICED = [
    Gpu("MIG-1111-aa", "NVIDIA H100 80GB HBM3 MIG 3g.40gb", "0:0", None, 0.5),
    Gpu("MIG-2222-bb", "NVIDIA H100 80GB HBM3 MIG 4g.40gb", "0:1", None, 0.5),
    Gpu("MIG-GPU-cccc/7/0", "NVIDIA H100 80GB HBM3 MIG 7g.80gb", "1:0", None, 1.0),
]


@pytest.mark.parametrize(
    ("listed", "indexes"),
    [
        ("0", ["0"]),
        ("2,0", ["2", "0"]),
        (" 1 , 3 ", ["1", "3"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1,-1,2", ["1"]),  # what follows a word that names none is not seen
        ("0,9,1", ["0"]),
        ("1,,2", ["1"]),
        ("GPU-31bf", ["2"]),
        ("GPU-31,GPU-8932f9", ["2", "0"]),
        ("GPU-8932", []),  # the beginning of two
        ("GPU-", []),
        ("gpu-31bf", []),
        ("0x1", []),
        ("²", []),
    ],
)
def test_a_list_is_read_as_cuda_reads_it(listed: str, indexes: list[str]) -> None:
    found = visible(ALIKE, listed)
    assert ([gpu.index for gpu in found.gpus], found.problem) == (indexes, "")


@pytest.mark.parametrize("listed", ["1,1", "0,GPU-8932f937"])
def test_a_gpu_named_twice_is_not_guessed_at(listed: str) -> None:
    found = visible(ALIKE, listed)
    assert found.gpus == ()
    assert "twice" in found.problem


def test_numbers_among_gpus_that_differ_need_the_order_of_the_bus() -> None:
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in visible(MIXED, "0").problem
    assert "CUDA_DEVICE_ORDER" in visible(MIXED, "0", "FASTEST_FIRST").problem
    assert [gpu.uuid for gpu in visible(MIXED, "1", "PCI_BUS_ID").gpus] == ["GPU-bbbb"]
    assert [gpu.uuid for gpu in visible(MIXED, "GPU-bbbb").gpus] == ["GPU-bbbb"]


@pytest.mark.parametrize(
    ("listed", "uuids"),
    [
        ("MIG-2222", ["MIG-2222-bb"]),
        ("MIG-GPU-cccc/7/0", ["MIG-GPU-cccc/7/0"]),
        ("1", ["MIG-GPU-cccc/7/0"]),  # the only slice of GPU 1
        ("0", []),  # one of two slices
        ("MIG-3333", []),
    ],
)
def test_slices_are_named_by_their_uuid(listed: str, uuids: list[str]) -> None:
    assert [gpu.uuid for gpu in visible(SLICED, listed, "PCI_BUS_ID").gpus] == uuids


@pytest.mark.parametrize(
    ("given", "indexes"),
    [
        (None, ["0", "1", "2", "3"]),
        ("all", ["0", "1", "2", "3"]),
        ("void", ["0", "1", "2", "3"]),
        ("3,1", ["1", "3"]),
        ("GPU-77", ["3"]),
    ],
)
def test_a_container_counts_what_it_was_given(given: str | None, indexes: list[str]) -> None:
    there = in_container(ALIKE, given)
    assert [gpu.index for gpu in there] == indexes
    assert [gpu.index for gpu in visible(there, "0").gpus] == indexes[:1]


@pytest.mark.parametrize(
    ("listed", "indexes"),
    [("1", ["1"]), ("0, 2", ["0", "2"]), ("GPU-31bf", ["2"]), ("none", []), ("1,1", ["1"])],
)
def test_what_a_person_states_is_taken_as_said(listed: str, indexes: list[str]) -> None:
    assert [gpu.index for gpu in stated(ALIKE, listed).gpus] == indexes


def test_a_person_may_state_a_slice_by_its_number() -> None:
    assert [gpu.uuid for gpu in stated(SLICED, "0:1").gpus] == ["MIG-2222-bb"]
    assert "2 GPUs" in stated(SLICED, "0").problem


@pytest.mark.parametrize("listed", ["9", "GPU-8932", "H100"])
def test_what_names_no_gpu_is_told_with_those_there_are(listed: str) -> None:
    found = stated(ALIKE, listed)
    assert found.gpus == ()
    assert listed in found.problem
    assert "0, 1, 2, 3" in found.problem
