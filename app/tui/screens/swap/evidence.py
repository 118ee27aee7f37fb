"""What a swap has shown, as lines: the two engines side by side, and the verdict on quality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.text.effects import MINUS
from app.tui.drawing.lines import Line, Span, clip, outside, pad
from store.metrics.formats import MISSING, format_bytes, three_digits
from store.reports.engine_evidence import EngineEvidence
from store.reports.quality import Interval, QualityVerdict
from store.reports.swap import SwapEvidence

_LABEL = 16
VERDICT_ROLES = {"pass": "good", "fail": "bad", "abstain": "warn"}


def engine_lines(evidence: SwapEvidence, width: int) -> list[Line]:
    """A row for each thing that can be seen of an engine, old → new; what differs is strong."""
    old, new = evidence.old, evidence.new
    room = max(12, (width - _LABEL - 3) // 2)
    head: Line = (
        Span(pad("Evidence", _LABEL), "strong"),
        Span(pad("old", room + 3), "quiet"),
        Span("new", "quiet"),
    )
    rows = (
        ("model", _name(old.model), _name(new.model)),
        ("weights", _bytes(old.weight_bytes), _bytes(new.weight_bytes)),
        ("quantisation", _quantisation(old), _quantisation(new)),
        ("dtype", _text(old.dtype), _text(new.dtype)),
        ("layers", _layers(old), _layers(new)),
        ("kernels", _names(old.kernels), _names(new.kernels)),
        ("limits", _limits(old, new), _limits(new, old)),
    )
    return [head, *(_row(label, a, b, room) for label, a, b in rows)]


def quality_lines(quality: QualityVerdict | None) -> list[Line]:
    """The verdict, then each figure with its interval and the limit it is held against."""
    if quality is None:
        return [(Span(pad("Quality", _LABEL), "strong"), Span("not measured", "quiet"))]
    limits = quality.thresholds
    drop = _Limit("at least", None if limits is None else -limits.max_loglik_drop, _signed)
    agreement = _Limit("at least", None if limits is None else limits.min_top1_agreement, _share)
    kl = _Limit("at most", None if limits is None else limits.max_kl, _plain)
    lines: list[Line] = [
        (
            Span(pad("Quality", _LABEL), "strong"),
            Span(quality.outcome.upper(), VERDICT_ROLES[quality.outcome]),
            Span(
                f"   {quality.tokens:,} tokens of {quality.texts:,} texts, new against old", "quiet"
            ),
        ),
        _figure("log-likelihood", quality.loglik_difference, quality.loglik_interval, drop),
        _figure("same top token", quality.top1_agreement, quality.top1_interval, agreement),
        _figure("KL", quality.kl, quality.kl_interval, kl),
        (Span(pad("exact answers", _LABEL), "quiet"), Span(_answers(quality), "strong")),
    ]
    return lines


def quality_reasons(quality: QualityVerdict | None) -> list[str]:
    """Why the verdict is what it is, a sentence each."""
    return [] if quality is None else [outside(reason, 300) for reason in quality.reasons]


def refusal(evidence: SwapEvidence | None) -> str:
    """Why the new engine would not have been taken by itself; '' where nothing stood against it."""
    return "" if evidence is None else outside(evidence.refused, 600)


def _row(label: str, old: str, new: str, room: int) -> Line:
    differs = old != new
    return (
        Span(pad(label, _LABEL), "quiet"),
        Span(pad(clip(old, room), room), "text" if differs else "quiet"),
        Span(" → " if differs else "   ", "quiet"),
        Span(clip(new, room), "strong" if differs else "quiet"),
    )


@dataclass(frozen=True, slots=True)
class _Limit:
    """What a figure is held against, and how its values are written."""

    words: str
    value: float | None
    shown: Callable[[float | None], str]

    def role(self, ends: Interval | None) -> str:
        """Red for an interval wholly beyond it, yellow for one that straddles it."""
        if ends is None or self.value is None:
            return "quiet"
        sign = 1 if self.words == "at least" else -1
        beyond = [sign * end < sign * self.value for end in ends]
        return "bad" if all(beyond) else "warn" if any(beyond) else "strong"


def _figure(label: str, value: float | None, ends: Interval | None, limit: _Limit) -> Line:
    """A figure, its interval and its limit."""
    held = "" if limit.value is None else f"{limit.words} {limit.shown(limit.value)}"
    interval = "" if ends is None else ", ".join(limit.shown(e).removesuffix(" %") for e in ends)
    return (
        Span(pad(label, _LABEL), "quiet"),
        Span(pad(limit.shown(value), 11), limit.role(ends)),
        Span(pad(f"[{interval}]" if interval else "", 22), "quiet"),
        Span(held, "quiet"),
    )


def _text(value: str | None) -> str:
    return outside(value, 120) if value else MISSING


def _name(value: str | None) -> str:
    """A model by the last part of its path."""
    return _text(value.rstrip("/").rsplit("/", 1)[-1] if value else None)


def _names(names: Sequence[str]) -> str:
    return ", ".join(_text(name) for name in names) or MISSING


def _bytes(value: int | None) -> str:
    return MISSING if value is None else format_bytes(value)


def _quantisation(engine: EngineEvidence) -> str:
    """What was asked for while loading, else what the files have."""
    if engine.asked_quantisation is not None:
        return f"{_text(engine.asked_quantisation)} (asked)"
    return _text(engine.quantisation)


def _layers(engine: EngineEvidence) -> str:
    count = engine.layers_quantised
    return MISSING if count is None else f"{count} quantised"


def _limits(engine: EngineEvidence, other: EngineEvidence) -> str:
    """The limits in which the two differ; those that both have tell nothing."""
    others = dict(other.limits)
    differing = (
        f"{_text(name)} {_text(value)}"
        for name, value in engine.limits
        if others.get(name) != value
    )
    return ", ".join(differing) or MISSING


def _plain(value: float | None) -> str:
    return MISSING if value is None else three_digits(value)


def _signed(value: float | None) -> str:
    if value is None:
        return MISSING
    sign = MINUS if value < 0 else "+" if value > 0 else ""
    return sign + three_digits(abs(value))


def _share(value: float | None) -> str:
    return MISSING if value is None else f"{three_digits(100 * value)} %"


def _answers(quality: QualityVerdict) -> str:
    if not quality.pairs:
        return MISSING
    old, new = (
        MISSING if count is None else f"{count:,}"
        for count in (quality.exact_matches_old, quality.exact_matches_new)
    )
    return f"{old} → {new} of {quality.pairs}"
