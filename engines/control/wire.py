"""Reading what comes over a control socket: fields that must be there and of their type.

Every reader raises ControlLost where the field is missing or of another type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from store.errors import EngineUnreachable, NotAchieved
from store.foreign_text import printable
from store.records import KnobValue
from store.reports.fields import a_count

LONGEST = 500
"""So many characters of a text are kept."""


class ControlLost(EngineUnreachable):
    """The control socket of an engine cannot be used: nobody there, no answer in time, not ours."""


class ControlRefused(NotAchieved):
    """The engine's control socket understood and said no; `code` is its word for why."""

    def __init__(self, what: str, code: str) -> None:
        super().__init__(what)
        self.code = code


def strange(field: str) -> ControlLost:
    """What to raise where an answer is not as agreed."""
    return ControlLost(
        "the engine's control socket speaks strangely",
        f"`{field}` is not what was agreed",
        "trimtab and the engine's plugin may differ in version: start it with `trimtab serve`",
    )


def record(item: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(item, dict):
        raise strange("answer")
    return item


def items(item: Mapping[str, Any], field: str) -> list[Any]:
    """A list in a field."""
    value = item.get(field)
    if not isinstance(value, list):
        raise strange(field)
    return value


def text(item: Mapping[str, Any], field: str) -> str:
    """A text in a field, cleaned."""
    value = item.get(field)
    if not isinstance(value, str):
        raise strange(field)
    return cleaned(value)


def whole(item: Mapping[str, Any], field: str) -> int:
    """A whole number in a field."""
    value = a_count(item.get(field))
    if value is None:
        raise strange(field)
    return value


def knob_value(value: Any) -> KnobValue | None:
    """A knob's value, None for anything else."""
    return value if isinstance(value, bool) else a_count(value)


def cleaned(text: str) -> str:
    """A text that came over the socket; strange characters go, so that a name stays a name."""
    return printable(text, LONGEST, replacement="")
