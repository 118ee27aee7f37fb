"""A card in one line of 78 columns: what it does, its limits, and what ails it."""

from __future__ import annotations

from collections.abc import Sequence

from app.text.cards import CardLine, short_name, throttle_word
from app.tui.drawing.figures import MISSING
from app.tui.drawing.lines import Line, Span, clip, outside

_NAME = 16
_GIB = 1024


def card_line(card: CardLine) -> Line:
    """`0 H100 80GB HBM3    97%  70.1/79.6G  643/700W  71°C 1755MHz power  ECC 0/2 XID 1`."""
    now = card.row.now
    name = f"{now.index} {short_name(card.row.device.name)}"
    left: tuple[Span, ...] = (
        Span("● " if card.is_held else "○ ", _dot(card)),
        Span(f"{clip(outside(name, 60), _NAME):<{_NAME}}", "text" if card.is_held else "quiet"),
    )
    if now.state != "ok":
        return (*left, Span(f"  {now.state}: {outside(now.reason, 200)}", "bad"))
    hot = throttle_word(now.throttle)
    return (
        *left,
        Span(_busy(now.busy_ppm), "strong" if card.is_held else "quiet"),
        Span(f"{_memory(now.memory_used_mib, now.memory_total_mib):>13}", "text"),
        Span(f"{_watts(now.power_mw, now.limit_mw):>10}", "text"),
        Span(f"{_number(now.temperature_c):>5}°C", "text"),
        Span(f"{_number(now.sm_mhz):>6}MHz", "text"),
        Span(f" {hot}" if hot else "", "quiet" if hot == "power" else "warn"),
        *_faults(card),
    )


def rest_line(cards: Sequence[CardLine], *, more: bool) -> Line:
    """The cards for which there is no row, in one; `more` than those that have one."""
    idle = sum(not card.is_held for card in cards)
    ailing = sum(card.row.now.state != "ok" for card in cards)
    busy = [card.row.now.busy_ppm for card in cards if card.row.now.busy_ppm is not None]
    words = [f"{len(cards)} {'more ' if more else ''}GPU{'s' if len(cards) > 1 else ''}"]
    words += [f"busy {sum(busy) / len(busy) / 1e4:.0f}%"] if busy else []
    words += [f"{idle} idle"] if idle else []
    words += [f"{ailing} not answering"] if ailing else []
    return (Span("  " + ", ".join(words), "bad" if ailing else "quiet"),)


def in_order_of_need(cards: Sequence[CardLine], rows: int) -> list[CardLine]:
    """Which cards have a row of `rows`: what ails first, then the engine's own, in NVML's order."""
    if len(cards) <= rows:
        return list(cards)
    wanted = sorted(
        cards, key=lambda card: (card.row.now.state == "ok" and not _ails(card), not card.is_own)
    )
    chosen = wanted[: max(0, rows - 1)]
    return [card for card in cards if card in chosen]


def _ails(card: CardLine) -> bool:
    return bool(card.ecc_uncorrected or card.xids)


def _dot(card: CardLine) -> str:
    if card.row.now.state != "ok" or _ails(card):
        return "bad"
    return "good" if card.is_held else "quiet"


def _faults(card: CardLine) -> tuple[Span, ...]:
    """Errors of the last day; nothing where there were none."""
    words = []
    if card.ecc_corrected or card.ecc_uncorrected:
        words.append(f"ECC {card.ecc_corrected or 0}/{card.ecc_uncorrected or 0}")
    if card.xids:
        code = card.row.now.last_xid
        words.append(f"XID {card.xids}" if code is None else f"XID {code}")
    return (Span("  " + " ".join(words), "bad" if _ails(card) else "warn"),) if words else ()


def _busy(ppm: int | None) -> str:
    return f"{MISSING:>4} " if ppm is None else f"{ppm / 1e4:>4.0f}%"


def _memory(used_mib: int | None, total_mib: int | None) -> str:
    used = MISSING if used_mib is None else f"{used_mib / _GIB:.1f}"
    total = MISSING if total_mib is None else f"{total_mib / _GIB:.1f}"
    return f"{used}/{total}G"


def _watts(power_mw: int | None, limit_mw: int | None) -> str:
    power = MISSING if power_mw is None else f"{power_mw / 1e3:.0f}"
    limit = MISSING if limit_mw is None else f"{limit_mw / 1e3:.0f}"
    return f"{power}/{limit}W"


def _number(value: int | None) -> str:
    return MISSING if value is None else str(value)
