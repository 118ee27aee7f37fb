"""What a comparison could have shown by now, and when it may show what it sees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from app.text.durations import format_duration

if TYPE_CHECKING:
    from store.compare.comparison import Comparison, Effect

LONGEST_S = 24 * 3600
"""Nobody waits longer."""


def outlook(comparison: Comparison) -> list[str]:
    """The smallest effect that could have been shown, and how long a verdict will take; each a
    phrase, none where nothing is to be waited for."""
    phrases = []
    effect = comparison.metrics.get(comparison.deciding or "")
    if effect is not None and comparison.verdict == "no difference shown":
        smallest = smallest_shown(effect)
        if smallest:
            phrases.append(f"could show {smallest}")
    seconds = comparison.expected_s
    if comparison.verdict == "no difference shown" and seconds is not None and seconds < LONGEST_S:
        more = format_duration(math.ceil(seconds))
        phrases.append(f"as it looks, a verdict in about {more}")
    return phrases


def smallest_shown(effect: Effect) -> str:
    """The smallest change of a metric that could have been shown, as a share of it; '' where that
    is not known."""
    if effect.could_show is None or effect.ratio_interval is None:
        return ""
    if effect.could_show >= 2:
        factor = f"{effect.could_show:.2g}"
        return f"\N{MULTIPLICATION SIGN}{factor} or \N{DIVISION SIGN}{factor}"
    return f"{100 * (effect.could_show - 1):.2g} %"
