"""The plan of a swap in lines: what would be started, what it costs, how it goes back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import wrap

from app.offers.expectation import waiting_text
from app.offers.offer import Offer, Wanted
from app.tui.drawing.changes import variant_name
from app.tui.drawing.lines import Line, Span, outside, pad
from app.tui.screens.swap.variant_list import VERDICT_ROLES
from engines.variants.strategy import STRATEGIES, Strategy

_LABEL = 10
_FIRM = "\N{NO-BREAK SPACE}"
_UNIT = re.compile(r"(?<=\d) (?=(?:s|min|[KMGT]?i?B)\b|%)")
"""The space between a number and its unit, at which no line is to break."""
_BACK = {
    "overlap": "whatever fails, the new engine ends; this one never stopped",
    "stop-start": "whatever fails, this engine is started again; connections wait on",
    "auto": "whatever fails, this engine serves on",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What the operator decided about a plan."""

    strategy: Strategy = "auto"
    keep: bool = False
    why: str = ""

    def wanted(self, offer: Offer) -> Wanted:
        """The swap as confirmed."""
        return Wanted(offer, self.strategy, self.keep and not offer.back, self.why)


def plan_lines(offer: Offer, choices: Choices, width: int, *, armed: bool) -> list[Line]:
    """A line or two for each part of the plan; `armed` shows the keys that change it."""
    strategy = offer.strategy_for(choices.strategy)
    name = outside(variant_name(offer.name), 80)
    note = f"   {outside(offer.note, 120)}"
    lines: list[Line] = [
        (Span("Plan".ljust(_LABEL), "strong"), Span(name, "primary"), Span(note, "quiet"))
    ]
    if armed:
        question = f" Swap to {name} now?"
        lines = [(Span(question, "cursor"), Span(pad(note, width - len(question)), "cursor-quiet"))]
    lines += _part("starts", outside(offer.started_with, 1000), width, most=2)
    lines.append(_strategy(offer, choices, armed=armed))
    waits = waiting_text(strategy, offer.expected)
    lines += _part("costs", waits, width, role="strong" if armed else "text", most=3)
    lines += _memory(offer, width)
    if offer.back:
        lines += _part(
            "verify", "it is healthy; it served before, so nothing is measured first", width
        )
    else:
        lines.append(_keep(choices, armed=armed))
    lines += _part("back", _BACK.get(strategy, _BACK["auto"]), width)
    lines.append(_why(choices, armed=armed))
    return lines


def _memory(offer: Offer, width: int) -> list[Line]:
    """The verdict in its colour, then what it rests on."""
    room = offer.room
    role = VERDICT_ROLES.get(room.verdict, "quiet")
    lines = _part("memory", f"{room.verdict}: {outside(room.reason, 300)}", width)
    label, text = lines[0]
    reason = text.text.removeprefix(room.verdict)
    return [(label, Span(room.verdict, role), Span(reason)), *lines[1:]]


def _part(label: str, text: str, width: int, *, role: str = "text", most: int = 2) -> list[Line]:
    """A labelled text, wrapped under itself."""
    whole = _UNIT.sub(_FIRM, text)
    rows = wrap(whole, max(20, width - _LABEL), break_on_hyphens=False) or [""]
    if len(rows) > most:
        rows = [*rows[: most - 1], " ".join(rows[most - 1 :])]
    shown = [row.replace(_FIRM, " ") for row in rows]
    heads = [label, *("" for _ in shown[1:])]
    return [
        (Span(head.ljust(_LABEL), "quiet"), Span(row, role))
        for head, row in zip(heads, shown, strict=True)
    ]


def _strategy(offer: Offer, choices: Choices, *, armed: bool) -> Line:
    """The strategies, the chosen one lit; of `auto` what it comes to."""
    spans = [Span("strategy".ljust(_LABEL), "quiet")]
    if not armed and choices.strategy == "auto":
        return (*spans, Span(offer.strategy_for(choices.strategy)))
    for name in STRATEGIES:
        shown = f"auto: {offer.strategy}" if name == "auto" and offer.strategy != "auto" else name
        spans += [Span(f" {shown} ", "cursor" if name == choices.strategy else "quiet"), Span(" ")]
    return (*spans, *_key("s next", armed=armed))


def _keep(choices: Choices, *, armed: bool) -> Line:
    text = (
        "kept even if it fails verification, on record"
        if choices.keep
        else "it answers, something changed, its quality holds"
    )
    role = "warn" if choices.keep else "text"
    return (
        Span("verify".ljust(_LABEL), "quiet"),
        Span(text, role),
        *_key("k roll back" if choices.keep else "k keep anyway", armed=armed),
    )


def _why(choices: Choices, *, armed: bool) -> Line:
    text = outside(choices.why, 200) or "no word for the ledger"
    role = "text" if choices.why else "quiet"
    return (Span("why".ljust(_LABEL), "quiet"), Span(text, role), *_key("w tell why", armed=armed))


def _key(words: str, *, armed: bool) -> Line:
    """A key that changes the line it stands in."""
    if not armed:
        return ()
    key, _, meaning = words.partition(" ")
    return (Span(f"  {key}", "primary"), Span(f" {meaning}", "quiet"))
