"""How a swap goes about it: with both engines for a while, or one after the other.

The names alone load in no time: commands offer them as choices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from engines.variants.estimates import Estimate

Strategy = Literal["auto", "overlap", "stop-start"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


def strategy_for(estimated: Estimate) -> Strategy:
    """What `auto` comes to: both engines at once only where both are known to fit."""
    return "overlap" if estimated.verdict == "fits beside" else "stop-start"
