"""Two engines' scores on the same texts → differences with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engines.quality.divergence import least_kl, same_top
from engines.quality.scoring import TextScore
from store.reports.quality import Interval

Listed = Mapping[int, float]
Pair = tuple[TextScore, TextScore]
"""A text as the old and as the new engine sees it, with the same tokens."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over all tokens, and its 95 % interval over texts drawn anew."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured of two engines; see `QualityVerdict` for units."""

    loglik_old: float
    loglik_new: float
    loglik_difference: Figure
    top1_agreement: Figure
    kl: Figure
    by_register: dict[str, float]
    identical: bool


def measure(pairs: Sequence[Pair]) -> Figures:
    """The figures of two texts or more."""
    tokens = [len(old.tokens) for old, _ in pairs]
    total = sum(tokens)
    loglik_old = sum(sum(old.logprobs) for old, _ in pairs) / total
    loglik_new = sum(sum(new.logprobs) for _, new in pairs) / total
    return Figures(
        loglik_old=loglik_old,
        loglik_new=loglik_new,
        loglik_difference=_figure([_gain(pair) for pair in pairs], tokens),
        top1_agreement=_figure([_sum(pair, same_top) for pair in pairs], tokens, (0.0, 1.0)),
        kl=_figure([_sum(pair, least_kl) for pair in pairs], tokens, (0.0, math.inf)),
        by_register=_by_register(pairs),
        identical=all(old.top == new.top for old, new in pairs),
    )


def _gain(pair: Pair) -> float:
    old, new = pair
    return sum(b - a for a, b in zip(old.logprobs, new.logprobs, strict=True))


def _sum(pair: Pair, term: Callable[[Listed, Listed], float]) -> float:
    old, new = pair
    return float(sum(term(a, b) for a, b in zip(old.top, new.top, strict=True)))


def _by_register(pairs: Sequence[Pair]) -> dict[str, float]:
    gains: dict[str, float] = {}
    tokens: dict[str, int] = {}
    for pair in pairs:
        register = pair[0].register
        gains[register] = gains.get(register, 0.0) + _gain(pair)
        tokens[register] = tokens.get(register, 0) + len(pair[0].tokens)
    return {register: gains[register] / tokens[register] for register in gains}


def _figure(
    sums: Sequence[float], tokens: Sequence[int], limits: Interval = (-math.inf, math.inf)
) -> Figure:
    """Σ sums ÷ Σ tokens, with an interval that stays in `limits`."""
    from engines.quality.bootstrap import ratio_interval  # numpy, only where one is made

    low, high = ratio_interval(sums, tokens)
    lowest, highest = limits
    return Figure(sum(sums) / sum(tokens), (max(lowest, low), min(highest, high)))
