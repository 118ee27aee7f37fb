"""Names of the engines we started, and what they are called in a swap."""

from __future__ import annotations

import re

from store.errors import BadInput
from store.foreign_text import printable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CANDIDATE = ("@next", "@other")
"""Endings of the name of an engine that is to take over from another one. No name that a person
gives has an @ in it."""
_LEAVING = "@old"
"""The ending of one that another has taken over from, while it finishes what it has."""


def check_name(name: str) -> str:
    """The name, which may have a swap's ending; raises `BadInput` where it cannot be a file's."""
    check_given(base_name(name))
    return name


def check_given(name: str) -> str:
    """The name that a person gives; raises `BadInput` where it cannot be one."""
    if name.isdigit():
        raise BadInput(f"{name} cannot be a name", "a number is read as a port")
    if not is_name(name):
        raise BadInput(
            f"{printable(name, 80)!r} cannot be a name",
            "a name has up to 64 letters, digits, dots, dashes and underscores",
        )
    return name


def is_name(name: str) -> bool:
    """Whether a person can have given this name to an engine of trimtab's."""
    return _NAME.fullmatch(name) is not None


def candidate_names(name: str) -> tuple[str, ...]:
    """The names that an engine can have while it is to take over from the engine `name`."""
    return tuple(f"{name}{ending}" for ending in _CANDIDATE)


def leaving_name(name: str) -> str:
    """The name of the engine `name` once another has taken over from it."""
    return f"{name}{_LEAVING}"


def names_in_swap(name: str) -> tuple[str, ...]:
    """Every name that an engine can have beside the engine `name`, in a swap of that one."""
    return (*candidate_names(name), leaving_name(name))


def base_name(name: str) -> str:
    """The name of the engine whose address this one has, is to have, or had."""
    for ending in (*_CANDIDATE, _LEAVING):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def is_in_swap(name: str) -> bool:
    """Whether this is the name of an engine in a swap that does not serve its address."""
    return name != base_name(name)
