"""How much longer a comparison must wait until it can show what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.compare.intervals import bounds
from store.compare.sides.blocks import FEWEST_BLOCKS

if TYPE_CHECKING:
    from store.compare.intervals.estimate import Estimate
    from store.compare.sides.side import Side

ALPHA = 0.05


def seconds_to_verdict(estimated: Estimate | None, b: Side, *, at_every_look: bool) -> float | None:
    """Seconds more of the second window until its difference from the first, if it stays as it is
    seen, is shown. None where that is not known, or where the first window is too short for it.

    The second window's error shrinks as one over its length; the first one's stays.
    """
    if not b.is_enough:
        return (FEWEST_BLOCKS - len(b.parts)) * b.blocks.block_ms / 1000
    if estimated is None or estimated.difference == 0:
        return None
    size, (variance_a, variance_b) = abs(estimated.difference), estimated.variances
    if at_every_look:
        wanted = bounds.variance_reaching(size, ALPHA)
    else:
        wanted = (size / bounds.normal_quantile(ALPHA)) ** 2
    if wanted <= variance_a:
        return None
    return max(0.0, b.blocks.seconds * (variance_b / (wanted - variance_a) - 1))
