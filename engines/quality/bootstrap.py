"""An interval for a ratio of sums over texts, from drawing whole texts with replacement.

The tokens of one text are not independent, its texts are. With few texts the plain percentile
interval is too narrow: deviations are stretched by sqrt(n/(n-1)) and by Student's t over the normal
quantile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

RESAMPLES = 2_000
LEVEL = 0.95
_NORMAL = 1.959963984540054
_SEED = (20, 260, 101)

_T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, 97.5 %, for 1 to 10 degrees of freedom."""


def ratio_interval(over: Sequence[float], per: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of Σ over ÷ Σ per, given text by text (at least 2; `per` above 0). The same
    numbers give the same interval."""
    texts = len(per)
    counts = np.random.default_rng(_SEED).multinomial(
        texts, np.full(texts, 1 / texts), size=RESAMPLES
    )
    drawn = (counts @ np.asarray(over, dtype=np.float64)) / (
        counts @ np.asarray(per, dtype=np.float64)
    )
    value = sum(over) / sum(per)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    widening = math.sqrt(texts / (texts - 1)) * student_975(texts - 1) / _NORMAL
    low, high = np.quantile(drawn - value, tails) * widening
    return value + float(low), value + float(high)


def student_975(freedom: float) -> float:
    """Student's t at 97.5 %: between whole degrees linear in 1/df, from ten up Fisher's series."""
    if freedom <= 1:
        return _T_975[0]
    if freedom >= len(_T_975):
        z = _NORMAL
        terms = (
            (z**3 + z) / 4,
            (5 * z**5 + 16 * z**3 + 3 * z) / 96,
            (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        )
        return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))
    degrees = int(freedom)
    low, high = _T_975[degrees - 1], _T_975[degrees]
    weight = (1 / degrees - 1 / freedom) / (1 / degrees - 1 / (degrees + 1))
    return low + (high - low) * weight
