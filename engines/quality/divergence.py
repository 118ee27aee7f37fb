"""How far two next-token distributions are apart when only their most likely tokens are known."""

from __future__ import annotations

import math
from collections.abc import Mapping

_NOTHING = 1e-7
"""What the engines' rounding to 32 bits leaves of 1; a smaller q is not told from it."""


def same_top(old: Mapping[int, float], new: Mapping[int, float]) -> bool:
    """Whether a token that is most likely in one is so in the other (equals are all the top)."""
    return not _tops(old).isdisjoint(_tops(new))


def _tops(logprobs: Mapping[int, float]) -> set[int]:
    highest = max(logprobs.values())
    return {token for token, value in logprobs.items() if value == highest}


def least_kl(old: Mapping[int, float], new: Mapping[int, float]) -> float:
    """The smallest KL(old‖new) = Σ p ln(p/q), in nats, that fits what both lists say; 0 or more.

    `old` and `new` give log probabilities by token: the text's own token and the most likely ones.
    Tokens in both lists have a term each; tokens of neither list are one outcome, "the rest". A
    token that only `old` lists has in `new` at most the probability c of the least likely *top*
    token listed there, and gets the q that makes the sum least: the remaining mass shared in
    proportion to p, but no more than c. What only `new` lists counts to the rest.

    It is never more than the true divergence: merging outcomes cannot raise KL (data processing
    inequality; Cover and Thomas, Elements of Information Theory, 2.8), and q is the most
    favourable. It equals it when the lists hold the same tokens and leave no probability over.
    """
    shared = [token for token in old if token in new]
    shared_kl = sum(math.exp(old[token]) * (old[token] - new[token]) for token in shared)
    missing = [math.exp(value) for token, value in old.items() if token not in new]
    rest_mass = max(0.0, 1.0 - sum(math.exp(value) for value in old.values()))
    room = max(0.0, 1.0 - sum(math.exp(new[token]) for token in shared))
    return max(0.0, shared_kl + _least_over(missing, rest_mass, room, _cap(new)))


def _cap(new: Mapping[int, float]) -> float:
    """The most that a token can have which the list leaves out.

    The text's own token is listed wherever it ranks, so the least likely of a list may be far
    below its top tokens: the second least is safe.
    """
    values = sorted(new.values())
    return math.exp(values[1] if len(values) > 1 else values[0])


def _least_over(missing: list[float], rest_mass: float, room: float, cap: float) -> float:
    """min Σ p ln(p/q) over the missing tokens (q ≤ cap) and the rest, all q summing to `room`.

    Without caps q is proportional to p; the likeliest that this would lift over the cap stay at it,
    and the others share what is left.
    """
    mass, minimum = sum(missing) + rest_mass, 0.0
    for p in sorted(missing, reverse=True):
        q = cap if p * room > cap * mass else p * room / mass
        minimum += _term(p, q)
        mass, room = mass - p, room - q
    return minimum + _term(rest_mass, room)


def _term(p: float, q: float) -> float:
    return p * math.log(p / max(q, _NOTHING)) if p > 0 else 0.0
