"""What was found about a new engine's quality, fit to be kept in the ledger as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast, get_args

from store.reports.fields import a_count, a_list, a_number, a_text, an_interval, an_object
from store.reports.thresholds import Thresholds, thresholds_from_json

Interval = tuple[float, float]
QualityOutcome = Literal["pass", "fail", "abstain"]


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """The outcome and its evidence. Figures are None where they could not be had.

    Log-likelihoods and KL are nats per token over all `tokens` of `texts`; intervals are 95 % of a
    bootstrap over texts; `loglik_difference` is new - old; `kl` is the least that fits what both
    engines list (`divergence.least_kl`). `identical` says that every listed figure is the same to
    the bit, as of an engine in which nothing changed. `pairs` prompts had an expected answer.
    """

    outcome: QualityOutcome
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

    thresholds: Thresholds | None = field(default_factory=Thresholds)
    """What it was held against; None where that is not known."""

    def to_json(self) -> dict[str, Any]:
        """A plain dict of JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, written: object) -> QualityVerdict | None:
        """What `to_json` wrote; a figure that is missing or of another type is unknown, and None
        stands for what is no verdict. Keys of a newer program are left out."""
        fields = an_object(written)
        if fields is None or fields.get("outcome") not in get_args(QualityOutcome):
            return None
        figures: dict[str, Any] = {
            **{name: a_number(fields.get(name)) for name in _FIGURES},
            **{name: an_interval(fields.get(name)) for name in _INTERVALS},
            **{name: a_count(fields.get(name)) or 0 for name in _COUNTS},
        }
        registers = an_object(fields.get("by_register")) or {}
        differences = ((str(name), a_number(value)) for name, value in registers.items())
        return cls(
            outcome=cast(QualityOutcome, fields["outcome"]),
            reasons=tuple(str(reason) for reason in a_list(fields.get("reasons"))),
            old_model=a_text(fields.get("old_model")),
            new_model=a_text(fields.get("new_model")),
            **figures,
            exact_matches_old=a_count(fields.get("exact_matches_old")),
            exact_matches_new=a_count(fields.get("exact_matches_new")),
            identical=identical if isinstance(identical := fields.get("identical"), bool) else None,
            by_register={name: value for name, value in differences if value is not None},
            thresholds=thresholds_from_json(fields.get("thresholds")),
        )


_FIGURES = ("loglik_old", "loglik_new", "loglik_difference", "top1_agreement", "kl")
_COUNTS = ("pairs", "texts", "tokens")
_INTERVALS = ("loglik_interval", "top1_interval", "kl_interval")
