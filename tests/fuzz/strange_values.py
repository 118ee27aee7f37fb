"""Values that no field expects."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.json_text import Raw

DEEPEST = 4_000
"""Nested so deep, a list of lists is as long as a request may be."""


def strange_value(chance: Random) -> Any:
    """One of another type, size or alphabet than anything asks for."""
    return chance.choice(_MAKERS)(chance)


def strange_like(chance: Random, value: Any) -> Any:
    """A strange value of the type of this one, which comes further than another type does."""
    if isinstance(value, str):
        return _text(chance)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(chance)
    return strange_value(chance)


def _number(chance: Random) -> Any:
    return chance.choice(
        (
            0,
            -1,
            1,
            -0.0,
            1.5,
            5e-324,
            1e308,
            2**31,
            2**53,
            2**53 + 1,
            -(2**63),
            2**64,
            10 ** chance.randint(19, 4_200),
            Raw("9" * chance.randint(4_301, 6_000)),
            Raw("NaN"),
            Raw("Infinity"),
            Raw("-Infinity"),
            Raw("1e999"),
            chance.randint(-(2**70), 2**70),
        )
    )


def _text(chance: Random) -> str:
    return chance.choice(
        (
            "",
            " ",
            "\0",
            "\x1b[2J\x07",
            "\ud800",
            "\udc80\ud83d",
            "\u202eabc\u2066",
            "a\nb\r\u2028c",
            "\u200b\ufeff",
            "/etc/passwd\0",
            "../../../../tmp/x",
            "~nobody-of-this-name/x",
            "[bold red]{}%s%n",
            "'; DROP TABLE changes; --",
            "NaN",
            "true",
            "é" * chance.randint(1, 400),
            "x" * chance.choice((64, 65, 128, 129, 400, 401, 4_000)),
            "".join(chr(chance.randrange(0x11_0000)) for _ in range(chance.randint(1, 30))),
        )
    )


def _word(chance: Random) -> Any:
    return chance.choice((None, True, False))


def _container(chance: Random) -> Any:
    return chance.choice(([], {}, [[]], [None], {"": None}, [1, "a", {}], {"a": {"b": [1]}}))


def _deep(chance: Random) -> Raw:
    # The limits of parsers, of `repr` and of `copy` lie apart: hit them all.
    depth = chance.choice((20, 200, 900, 990, chance.randint(200, 1_300), DEEPEST))
    if chance.random() < 0.5:
        return Raw("[" * depth + "]" * depth)
    depth //= 3
    return Raw('{"a":' * depth + "1" + "}" * depth)


_MAKERS: tuple[Callable[[Random], Any], ...] = (
    _number,
    _number,
    _text,
    _text,
    _word,
    _container,
    _deep,
)
