"""The boards that clouds rent, by NVML's exact product names, with example list prices.

A price is one provider's public on-demand price of one day, divided by the GPUs of the machine.
Prices move by tens of percent a year and differ fourfold between providers: they are examples, not
quotes. A board whose price was not found has none, never that of a neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListPrice:
    """USD per GPU-hour as `provider` listed it on `day` (ISO; a month where no day is known)."""

    usd_per_hour: float
    provider: str
    day: str

    @property
    def source(self) -> str:
        """Who says so, and when."""
        return f"built-in example of a list price: {self.provider}, {self.day}"


@dataclass(frozen=True, slots=True)
class Board:
    """A product. `name` is NVML's without its maker, `memory_gb` as sold; `price` None: not found.

    `vgpu` is what NVIDIA's vGPU types on this board begin with (`A100DX` of `GRID A100DX-40C`).
    """

    name: str
    memory_gb: int
    price: ListPrice | None = None
    vgpu: str = ""


_COREWEAVE = "2026-09-20"
_LAMBDA = "2026-09-20"
_HYPERSTACK = "2026-08-26"
_AKASH = "2026-09-20"

BOARDS: tuple[Board, ...] = (
    Board("GB300", 288),
    Board("GB200", 186, ListPrice(42.00 / 4, "CoreWeave GB200 NVL72 / 4", _COREWEAVE)),
    Board("B300 SXM6 AC", 288, ListPrice(7.40, "Hyperstack B300", _HYPERSTACK)),
    Board("B200", 180, ListPrice(68.80 / 8, "CoreWeave HGX B200 / 8", _COREWEAVE)),
    Board("GH200 480GB", 96, ListPrice(6.50, "CoreWeave GH200", _COREWEAVE)),
    Board("GH200 144G HBM3e", 144),
    Board("H200", 141, ListPrice(50.44 / 8, "CoreWeave HGX H200 / 8", _COREWEAVE), "H200X"),
    Board("H200 NVL", 141, None, "H200"),
    Board(
        "H100 80GB HBM3", 80, ListPrice(49.24 / 8, "CoreWeave HGX H100 / 8", _COREWEAVE), "H100XM"
    ),
    Board("H100 NVL", 94, ListPrice(3.19, "RunPod Secure H100 NVL", "2026-11-09"), "H100L"),
    Board("H100 PCIe", 80, ListPrice(3.29, "Lambda 1x H100 PCIe", _LAMBDA), "H100"),
    Board("H800", 80, None, "H800XM"),
    Board("H800 PCIe", 80, None, "H800"),
    Board("H20", 96, None, "H20"),
    Board("A100-SXM4-80GB", 80, ListPrice(2.79, "Lambda 8x A100 SXM 80 GB", _LAMBDA), "A100DX"),
    Board(
        "A100-SXM4-40GB", 40, ListPrice(21.96 / 8, "AWS p4d.24xlarge / 8", "2026-11-09"), "A100X"
    ),
    Board("A100 80GB PCIe", 80, ListPrice(1.79, "RunPod Secure A100 PCIe", "2026-11-09"), "A100D"),
    Board("A100-PCIE-40GB", 40, None, "A100"),
    Board("A800-SXM4-80GB", 80, None, "A800DX"),
    Board("A800 80GB PCIe", 80, None, "A800D"),
    Board("A30", 24, None, "A30"),
    Board("L40S", 48, ListPrice(18.00 / 8, "CoreWeave L40S / 8", _COREWEAVE), "L40S"),
    Board("L40", 48, ListPrice(10.00 / 8, "CoreWeave L40 / 8", _COREWEAVE), "L40"),
    Board("L20", 48, None, "L20"),
    Board("L4", 24, ListPrice(0.80, "AWS g6.xlarge", "2026-02"), "L4"),
    Board("A40", 48, ListPrice(0.44, "RunPod Secure A40", "2026-08-19"), "A40"),
    Board("A16", 16, None, "A16"),
    Board("A10G", 24, ListPrice(1.006, "AWS g5.xlarge", "2026-06-17")),
    Board("A10", 24, ListPrice(1.29, "Lambda 1x A10", _LAMBDA), "A10"),
    Board("T4", 16, ListPrice(0.53, "AWS g4dn.xlarge", "2026-02"), "T4"),
    Board("V100-SXM2-16GB", 16, ListPrice(0.79, "Lambda 8x V100", _LAMBDA), "V100X"),
    Board(
        "RTX PRO 6000 Blackwell Server Edition",
        96,
        ListPrice(20.00 / 8, "CoreWeave RTX PRO 6000 Server / 8", _COREWEAVE),
        "RTX Pro 6000 Blackwell DC",
    ),
    Board(
        "RTX PRO 6000 Blackwell Workstation Edition",
        96,
        ListPrice(1.45, "Akash, from, Pro 6000 WE", _AKASH),
    ),
    Board("RTX PRO 6000 Blackwell Max-Q Workstation Edition", 96),
    Board("RTX 6000 Ada Generation", 48, None, "RTX6000-Ada"),
    Board("RTX A6000", 48, ListPrice(1.09, "Lambda 4x A6000", _LAMBDA), "RTXA6000"),
    Board("RTX A4000", 16, ListPrice(0.15, "Hyperstack A4000", _HYPERSTACK)),
    Board("Quadro RTX 6000", 24, ListPrice(0.69, "Lambda 1x Quadro RTX 6000", _LAMBDA)),
    Board("GeForce RTX 5090", 32, ListPrice(0.67, "Akash, from, RTX 5090", _AKASH)),
    Board("GeForce RTX 4090", 24, ListPrice(0.74, "RunPod Secure RTX 4090", "2026-09-25")),
    Board("GeForce RTX 3090", 24, ListPrice(0.16, "Akash, from, RTX 3090", _AKASH)),
)
"""Read on the providers' public price pages; a machine's price divided by its GPUs."""

BOARD_BY_NAME: Mapping[str, Board] = {board.name.casefold(): board for board in BOARDS}
BOARD_BY_VGPU: Mapping[str, Board] = {
    board.vgpu.casefold(): board for board in BOARDS if board.vgpu
}
