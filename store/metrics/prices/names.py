"""What NVML's product name says: which board, and which slice of it.

NVIDIA H100 80GB HBM3                   a whole board
NVIDIA H100 80GB HBM3 MIG 1g.10gb       a MIG slice of one
GRID A100DX-40C, NVIDIA A100-4-20C      a vGPU: a hypervisor's slice, on MIG the second
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from store.metrics.prices.boards import BOARD_BY_NAME, BOARD_BY_VGPU, Board

_MAKERS = ("NVIDIA ", "GRID ", "Tesla ")
_MIG = re.compile(
    r"(?P<board>.+) MIG (?P<profile>(?:(?P<c>\d+)c\.)?(?P<g>\d+)g\.(?P<gb>\d+)gb)[+\-.\w]*"
)
_VGPU = re.compile(r"(?P<board>.+?)(?P<profile>-(?:\d+-)?(?P<gb>\d+)[ABCQ])")
_MEMORY = re.compile(r"\b(\d+)GB\b", re.IGNORECASE)
MIG_MEMORY_SLICES = 8
"""Into how many parts MIG cuts a GPU's memory (four on a few boards: two of eight each)."""


@dataclass(frozen=True, slots=True)
class ProductName:
    """A product name taken apart.

    `whole_name` is the name without the slice, `board_name` that of the board without its maker
    (of a vGPU the board's own); `board` is what is known of it, None for one that the table does
    not have. `profile` names the slice, '' for a whole board; `part` is the slice's share of the
    board (1: whole; None: not known, as the board's memory is not).
    """

    whole_name: str
    board_name: str
    board: Board | None = None
    profile: str = ""
    part: Fraction | None = Fraction(1)


@lru_cache(maxsize=256)
def parse(name: str) -> ProductName:
    """The product name taken apart; a name of another kind is that of an unknown whole board."""
    bare = _without_maker(name)
    if mig := _MIG.fullmatch(bare):
        board = BOARD_BY_NAME.get(mig["board"].casefold())
        whole_name = name.partition(" MIG ")[0]
        return ProductName(whole_name, mig["board"], board, mig["profile"], _mig_part(mig, board))
    board = BOARD_BY_NAME.get(bare.casefold())
    vgpu = None if board else _VGPU.fullmatch(bare)
    if vgpu is None:
        return ProductName(name, bare, board)
    board = BOARD_BY_VGPU.get(vgpu["board"].casefold())
    board_name = vgpu["board"] if board is None else board.name
    size_gb = int(vgpu["gb"])
    part = min(Fraction(size_gb, board.memory_gb), Fraction(1)) if board and size_gb else None
    whole_name = name.strip().removesuffix(vgpu["profile"])
    return ProductName(whole_name, board_name, board, vgpu["profile"].strip("-"), part)


def _without_maker(name: str) -> str:
    bare = name.strip()
    for maker in _MAKERS:
        bare = bare.removeprefix(maker)
    return bare


def _mig_part(mig: re.Match[str], board: Board | None) -> Fraction | None:
    """The slice's part of the memory, as MIG cuts it; of a compute instance, which shares the
    memory of its slice with others, as many parts as it has of the slice's multiprocessors."""
    told = _MEMORY.search(mig["board"])
    memory_gb = board.memory_gb if board else int(told[1]) if told else 0
    slices, instances = int(mig["g"]), int(mig["c"] or mig["g"])
    if not memory_gb or not slices:
        return None
    eighths = max(1, round(int(mig["gb"]) * MIG_MEMORY_SLICES / memory_gb))
    part = min(Fraction(eighths, MIG_MEMORY_SLICES), Fraction(1))
    return part * min(Fraction(instances, slices), Fraction(1))
