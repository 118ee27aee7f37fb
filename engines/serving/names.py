"""Names of the engines we started, and what they are called in a swap."""

from __future__ import annotations

import re

from store.errors import BadInput
from store.foreign_text import printable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
CANDIDATE = (".next", ".other")
"""Endings of the name of an engine that is to take over from another one."""
LEAVING = ".old"
"""The ending of one that another has taken over from, while it finishes what it has."""
SWAPPING = (*CANDIDATE, LEAVING)


def check_name(name: str) -> str:
    """The name itself; raises `BadInput` where it cannot be a file's."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{printable(name, 80)!r} cannot be a name",
            "a name has up to 64 letters, digits, dots, dashes and underscores",
        )
    return name


def candidate_names(name: str) -> tuple[str, ...]:
    """The names that an engine can have while it is to take over from the engine `name`."""
    return tuple(f"{name}{ending}" for ending in CANDIDATE)


def leaving_name(name: str) -> str:
    """The name of the engine `name` once another has taken over from it."""
    return f"{name}{LEAVING}"


def base_name(name: str) -> str:
    """The name of the engine whose address this one has, is to have, or had."""
    for ending in SWAPPING:
        name = name.removesuffix(ending)
    return name
