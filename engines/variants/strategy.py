"""How a swap goes about it: with both engines for a while, or one after the other."""

from __future__ import annotations

from typing import Literal, get_args

from engines.variants.estimates import Estimate

Strategy = Literal["auto", "overlap", "stop-start"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


def strategy_for(found: Estimate) -> Strategy:
    """What `auto` comes to: both engines at once only where both are known to fit."""
    return "overlap" if found.verdict == "fits beside" else "stop-start"
