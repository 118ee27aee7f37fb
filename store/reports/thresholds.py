"""How far a new engine may be from the old one. Light, as the settings read it at every start."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from typing import Any

from store.reports.fields import a_number, an_object


@dataclass(frozen=True)
class Thresholds:
    """Limits of a swap's quality.

    The defaults let a careful 4-bit quantisation pass and a careless one fail: for Llama 3 8B,
    llama.cpp (tools/perplexity/README.md) gives against fp16 for q4_K_M 0.028 nats, a KL of 0.031
    and the same top token at 91.9 %; for q4_0, plain rounding, 0.072 nats and a KL of 0.072; for
    q2_K 71 %.
    """

    max_loglik_drop: float = 0.05
    """Nats per token by which the texts may become less likely; 0.05 is 5 % more perplexity."""

    min_top1_agreement: float = 0.9
    """Share of positions, 0 to 1, at which both engines hold the same token most likely."""

    max_kl: float = 0.05
    """Nats per token of Kullback-Leibler divergence, old from new, over the top tokens."""

    min_tokens: int = 1_000
    """With fewer tokens that both engines scored there is no verdict."""

    def __post_init__(self) -> None:
        """Raises ValueError for what can be no limit."""
        for name in ("max_loglik_drop", "max_kl"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is a number of nats per token, 0 or more")
        if not 0 <= self.min_top1_agreement <= 1:
            raise ValueError("min_top1_agreement is a share from 0 to 1")
        if self.min_tokens < 1:
            raise ValueError("min_tokens is 1 or more")


def thresholds_from_json(written: object) -> Thresholds | None:
    """What `dataclasses.asdict` and JSON made of them; what can be no limit is the default. None
    where there are none."""
    fields = an_object(written)
    if fields is None:
        return None
    limits = Thresholds()
    for name, value in fields.items():
        number: Any = a_number(value)
        if name in vars(limits) and number is not None:
            with contextlib.suppress(ValueError):
                limits = replace(limits, **{name: number})
    return limits
