"""What was found about a new engine's quality, fit to be kept in the ledger as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from engines.quality.thresholds import Thresholds

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """The outcome and its evidence. Figures are None where they could not be had.

    Log-likelihoods and KL are nats per token over all `tokens` of `texts`; intervals are 95 % of a
    bootstrap over texts; `loglik_difference` is new - old; `kl` is the least that fits what both
    engines list (`divergence.least_kl`). `identical` says that every listed figure is the same to
    the bit, as of an engine in which nothing changed. `pairs` prompts had an expected answer.
    """

    outcome: Literal["pass", "fail", "abstain"]
    reasons: tuple[str, ...]
    old_model: str | None = None
    new_model: str | None = None
    loglik_old: float | None = None
    loglik_new: float | None = None
    loglik_difference: float | None = None
    loglik_interval: Interval | None = None
    top1_agreement: float | None = None
    top1_interval: Interval | None = None
    kl: float | None = None
    kl_interval: Interval | None = None
    exact_matches_old: int | None = None
    exact_matches_new: int | None = None
    pairs: int = 0
    texts: int = 0
    tokens: int = 0
    identical: bool | None = None
    by_register: Mapping[str, float] = field(default_factory=dict)
    """The difference of log-likelihood, nats per token, of each register."""

    thresholds: Thresholds = field(default_factory=Thresholds)

    def to_json(self) -> dict[str, Any]:
        """A plain dict of JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> QualityVerdict:
        """The verdict that `to_json` gave; keys of a newer program are left out."""
        names = {item.name for item in fields(cls)}
        found: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in kept.items()
            if name in names
        }
        return cls(**found | {"thresholds": Thresholds(**kept["thresholds"])})
