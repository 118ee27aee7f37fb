"""What a swap has shown, as lines: the two engines side by side, and the verdict on quality.

It is read from the ledger as JSON: a figure that is missing, or of another type, is –.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.tui.drawing.effects import MINUS
from app.tui.drawing.lines import Line, Span, clip, outside, pad
from store.metrics.formats import MISSING, format_bytes, three_digits

_LABEL = 16
VERDICT_ROLES = {"pass": "good", "fail": "bad", "abstain": "warn"}


def engine_lines(evidence: Mapping[str, Any], width: int) -> list[Line]:
    """A row for each thing that can be seen of an engine, old → new; what differs is strong."""
    old, new = _object(evidence.get("old")), _object(evidence.get("new"))
    room = max(12, (width - _LABEL - 3) // 2)
    head: Line = (
        Span(pad("Evidence", _LABEL), "strong"),
        Span(pad("old", room + 3), "quiet"),
        Span("new", "quiet"),
    )
    rows = (
        ("model", _name(old.get("model")), _name(new.get("model"))),
        ("weights", _bytes(old.get("weight_bytes")), _bytes(new.get("weight_bytes"))),
        ("quantisation", _quantisation(old), _quantisation(new)),
        ("dtype", _text(old.get("dtype")), _text(new.get("dtype"))),
        ("layers", _layers(old), _layers(new)),
        ("kernels", _names(old.get("kernels")), _names(new.get("kernels"))),
        ("limits", _limits(old, new), _limits(new, old)),
    )
    return [head, *(_row(label, a, b, room) for label, a, b in rows)]


def quality_lines(evidence: Mapping[str, Any]) -> list[Line]:
    """The verdict, then each figure with its interval and the limit it is held against."""
    quality = _object(evidence.get("quality"))
    outcome = quality.get("outcome")
    if outcome not in VERDICT_ROLES:
        return [(Span(pad("Quality", _LABEL), "strong"), Span("not measured", "quiet"))]
    limits = _object(quality.get("thresholds"))
    drop = _number(limits.get("max_loglik_drop"))
    drop_limit = _Limit("at least", None if drop is None else -drop, _signed)
    agreement = _Limit("at least", _number(limits.get("min_top1_agreement")), _share)
    kl = _Limit("at most", _number(limits.get("max_kl")), _plain)
    texts, tokens = _count(quality.get("texts")), _count(quality.get("tokens"))
    lines: list[Line] = [
        (
            Span(pad("Quality", _LABEL), "strong"),
            Span(str(outcome).upper(), VERDICT_ROLES[outcome]),
            Span(f"   {tokens} tokens of {texts} texts, new against old", "quiet"),
        ),
        _figure("log-likelihood", quality, ("loglik_difference", "loglik_interval"), drop_limit),
        _figure("same top token", quality, ("top1_agreement", "top1_interval"), agreement),
        _figure("KL", quality, ("kl", "kl_interval"), kl),
        (Span(pad("exact answers", _LABEL), "quiet"), Span(_answers(quality), "strong")),
    ]
    return lines


def quality_reasons(evidence: Mapping[str, Any]) -> list[str]:
    """Why the verdict is what it is, a sentence each."""
    reasons = _object(evidence.get("quality")).get("reasons")
    return [outside(str(one), 300) for one in reasons] if isinstance(reasons, list) else []


def refusal(evidence: object) -> str:
    """Why the new engine would not have been taken by itself; '' where nothing stood against it."""
    refused = _object(evidence).get("refused")
    return outside(refused, 600) if isinstance(refused, str) else ""


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
    shown: Callable[[object], str]

    def role(self, ends: tuple[float, float] | None) -> str:
        """Red for an interval wholly beyond it, yellow for one that straddles it."""
        if ends is None or self.value is None:
            return "quiet"
        sign = 1 if self.words == "at least" else -1
        beyond = [sign * end < sign * self.value for end in ends]
        return "bad" if all(beyond) else "warn" if any(beyond) else "strong"


def _figure(label: str, quality: Mapping[str, Any], names: tuple[str, str], limit: _Limit) -> Line:
    """A figure, its interval and its limit."""
    ends = _ends(quality.get(names[1]))
    told = "" if ends is None else ", ".join(limit.shown(end).removesuffix(" %") for end in ends)
    held = "" if limit.value is None else f"{limit.words} {limit.shown(limit.value)}"
    return (
        Span(pad(label, _LABEL), "quiet"),
        Span(pad(limit.shown(quality.get(names[0])), 11), limit.role(ends)),
        Span(pad(f"[{told}]" if told else "", 22), "quiet"),
        Span(held, "quiet"),
    )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    return outside(value, 120) if isinstance(value, str) and value else MISSING


def _name(value: object) -> str:
    """A model by the last part of its path."""
    return _text(value.rstrip("/").rsplit("/", 1)[-1] if isinstance(value, str) else None)


def _names(value: object) -> str:
    return ", ".join(_text(one) for one in value) if isinstance(value, list) and value else MISSING


def _bytes(value: object) -> str:
    number = _number(value)
    return MISSING if number is None else format_bytes(number)


def _count(value: object) -> str:
    number = _number(value)
    return MISSING if number is None else f"{number:,.0f}"


def _quantisation(engine: Mapping[str, Any]) -> str:
    """What was asked for while loading, else what the files have."""
    asked = engine.get("asked_quantisation")
    if isinstance(asked, str):
        return f"{_text(asked)} (asked)"
    return _text(engine.get("quantisation"))


def _layers(engine: Mapping[str, Any]) -> str:
    count = _number(engine.get("layers_quantised"))
    return MISSING if count is None else f"{count:.0f} quantised"


def _limits(engine: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The limits in which the two differ; those that both have tell nothing."""
    own, others = _pairs(engine), _pairs(other)
    told = [f"{name} {value}" for name, value in own.items() if others.get(name) != value]
    return ", ".join(told) or MISSING


def _pairs(engine: Mapping[str, Any]) -> dict[str, str]:
    limits = engine.get("limits")
    if not isinstance(limits, list):
        return {}
    return {_text(one[0]): _text(one[1]) for one in limits if isinstance(one, list)}


def _plain(value: object) -> str:
    number = _number(value)
    return MISSING if number is None else three_digits(number)


def _signed(value: object) -> str:
    number = _number(value)
    if number is None:
        return MISSING
    sign = MINUS if number < 0 else "+" if number > 0 else ""
    return sign + three_digits(abs(number))


def _share(value: object) -> str:
    number = _number(value)
    return MISSING if number is None else f"{three_digits(100 * number)} %"


def _ends(value: object) -> tuple[float, float] | None:
    """The two ends of an interval."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = _number(value[0]), _number(value[1])
    return None if low is None or high is None else (low, high)


def _answers(quality: Mapping[str, Any]) -> str:
    pairs = _number(quality.get("pairs"))
    if not pairs:
        return MISSING
    old, new = (_count(quality.get(f"exact_matches_{one}")) for one in ("old", "new"))
    return f"{old} → {new} of {pairs:.0f}"
