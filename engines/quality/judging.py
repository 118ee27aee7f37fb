"""Old scores and new scores → pass, fail or abstain.

Each figure has a limit. It is kept when the whole interval is inside the limit, broken when the
whole interval is outside, and undecided in between: one broken is FAIL, else one undecided is
ABSTAIN, else PASS.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engines.quality.figures import Figure, Figures, Pair, measure
from engines.quality.scoring import Scores, TextScore
from store.foreign_text import printable
from store.reports.quality import QualityVerdict
from store.reports.thresholds import Thresholds

FEWEST_TEXTS = 5
"""Fewer do not bear an interval over texts."""


def judge(old: Scores | None, new: Scores, thresholds: Thresholds) -> QualityVerdict:
    """Compare an engine with the one before it on the texts that both scored.

    An engine that breaks on a text fails whatever the figures are, unless the old one broke too.
    """
    pairs = _pairs(old, new)
    verdict = QualityVerdict(
        outcome="abstain",
        reasons=(),
        old_model=None if old is None else printable(old.model),
        new_model=printable(new.model),
        texts=len(pairs),
        tokens=sum(len(a.tokens) for a, _ in pairs),
        thresholds=thresholds,
    )
    broken = _broken(old, new)
    if broken:
        return replace(verdict, outcome="fail", reasons=broken)
    left_out = _left_out(old, new)
    lacking = _lacking(old, pairs, verdict.tokens, thresholds)
    if lacking:
        return replace(verdict, reasons=(lacking, *left_out))
    return _compared(verdict, pairs, thresholds, left_out)


def _compared(
    verdict: QualityVerdict,
    pairs: Sequence[Pair],
    thresholds: Thresholds,
    left_out: tuple[str, ...],
) -> QualityVerdict:
    figures = measure(pairs)
    findings = _findings(figures, thresholds)
    outside = [finding.outside for finding in findings]
    matches = [(a.matched, b.matched) for a, b in pairs if None not in (a.matched, b.matched)]
    return replace(
        verdict,
        outcome="fail" if True in outside else "abstain" if None in outside else "pass",
        reasons=(*(finding.reason for finding in findings), *left_out),
        loglik_old=figures.loglik_old,
        loglik_new=figures.loglik_new,
        loglik_difference=figures.loglik_difference.value,
        loglik_interval=figures.loglik_difference.interval,
        top1_agreement=figures.top1_agreement.value,
        top1_interval=figures.top1_agreement.interval,
        kl=figures.kl.value,
        kl_interval=figures.kl.interval,
        exact_matches_old=sum(a is True for a, _ in matches),
        exact_matches_new=sum(b is True for _, b in matches),
        pairs=len(matches),
        identical=figures.identical,
        by_register=figures.by_register,
    )


def _pairs(old: Scores | None, new: Scores) -> list[Pair]:
    before = {score.id: score for score in (old.texts if old else ()) if score.failure is None}
    return [
        (before[score.id], score)
        for score in new.texts
        if score.failure is None and score.id in before
    ]


def _broken(old: Scores | None, new: Scores) -> tuple[str, ...]:
    broken_before = {score.id for score in (old.texts if old else ()) if score.broken}
    newly_broken = [score for score in new.texts if score.broken and score.id not in broken_before]
    return (_failures("the new engine breaks on", newly_broken, new),) if newly_broken else ()


def _left_out(old: Scores | None, new: Scores) -> tuple[str, ...]:
    sentences = []
    for label, scores in (("old", old), ("new", new)):
        failed = [score for score in (scores.texts if scores else ()) if score.failure]
        if scores and failed:
            sentences.append(
                _failures(f"left out, as the {label} engine did not score them,", failed, scores)
            )
    return tuple(sentences)


def _failures(summary: str, failed: Sequence[TextScore], scores: Scores) -> str:
    first = failed[0]
    return (
        f"{summary} {len(failed)} of {len(scores.texts)} texts, first {first.id}: {first.failure}"
    )


def _lacking(
    old: Scores | None, pairs: Sequence[Pair], tokens: int, thresholds: Thresholds
) -> str | None:
    """Why there can be no comparison."""
    if old is None:
        return "there are no scores of the old engine to compare with"
    if any(a.tokens != b.tokens for a, b in pairs):
        return (
            "the engines cut the texts into different tokens, so figures per token do not compare"
        )
    if len(pairs) < FEWEST_TEXTS:
        return f"both engines scored {len(pairs)} texts, fewer than {FEWEST_TEXTS}"
    if tokens < thresholds.min_tokens:
        return f"both engines scored {tokens} tokens, fewer than {thresholds.min_tokens}"
    return None


@dataclass(frozen=True, slots=True)
class _Finding:
    """A figure beside its limit; `outside` is None where the interval does not tell."""

    reason: str
    outside: bool | None


def _findings(figures: Figures, limits: Thresholds) -> list[_Finding]:
    return [
        _finding(
            "log-likelihood changed by {:+.4f} nats per token ({:+.4f} to {:+.4f}), least {:+.4f}",
            figures.loglik_difference,
            least=-limits.max_loglik_drop,
        ),
        _finding(
            "same top token at {:.2%} of positions ({:.2%} to {:.2%}), least {:.2%}",
            figures.top1_agreement,
            least=limits.min_top1_agreement,
        ),
        _finding(
            "KL of the top tokens {:.4f} nats ({:.4f} to {:.4f}), most {:.4f}",
            figures.kl,
            most=limits.max_kl,
        ),
    ]


def _finding(
    words: str, figure: Figure, *, least: float = -math.inf, most: float = math.inf
) -> _Finding:
    """A figure that may be from `least` to `most`, one of which is the limit told."""
    low, high = figure.interval
    outside = True if high < least or low > most else None
    if least <= low and high <= most:
        outside = False
    state = {True: "broken", False: "kept", None: "cannot be told from it"}[outside]
    limit = most if math.isinf(least) else least
    return _Finding(f"{words.format(figure.value, low, high, limit)}: {state}", outside)
