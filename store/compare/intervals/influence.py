"""What each block of a window adds to the error of a value: its influence.

A value made of sums, R = ΣX / ΣY, moves by X_i/ΣX - Y_i/ΣY (on the logarithm) or (X_i - R Y_i)/ΣY
when block i counts more; times the number of blocks this is a series whose mean's error is the
value's (the delta method). A percentile moves by what its share of observations below it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from store.compare.intervals.spectra import Floats

FEWEST_FILLED = 5
"""Fewer blocks with something in the divisor give no interval."""


@dataclass(frozen=True, slots=True)
class Sums:
    """A ratio's two sums, block by block."""

    over: Floats
    per: Floats

    @property
    def can_be_logged(self) -> bool:
        """Whether the ratio is positive, out of enough blocks to speak of it on the logarithm."""
        return _filled(self.over) >= FEWEST_FILLED and float(self.over.min()) >= 0


def sums_of(over: Sequence[float | int | None], per: Sequence[float | int | None]) -> Sums | None:
    """A ratio's sums; None where a block does not tell one, or too few have anything below."""
    if None in over or None in per:
        return None
    sums = Sums(np.asarray(over, dtype=np.float64), np.asarray(per, dtype=np.float64))
    return sums if _filled(sums.per) >= FEWEST_FILLED else None


def on_logarithm(sums: Sums) -> Floats:
    """The influence of each block on ln(Σover / Σper)."""
    relative = sums.over / sums.over.sum() - sums.per / sums.per.sum()
    return np.asarray(len(relative) * relative)


def on_value(sums: Sums) -> Floats:
    """The influence of each block on Σover / Σper."""
    ratio = sums.over.sum() / sums.per.sum()
    return np.asarray(len(sums.per) * (sums.over - ratio * sums.per) / sums.per.sum())


def share_of_divisor(sums: Sums) -> float:
    """How much of the ratio's noise comes from its divisor, 0..1; 0.5 where there is none."""
    over, per = (float((each / each.sum()).var()) for each in (sums.over, sums.per))
    return per / (over + per) if over + per > 0 else 0.5


def _filled(amounts: Floats) -> int:
    return int((amounts > 0).sum())
