"""What was said in the course of a swap or an adoption, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from store.reports.fields import a_list, a_number, a_text, an_object


@dataclass(frozen=True, slots=True)
class StepLine:
    """A line said `at_s` seconds after the beginning, in the step named `step`."""

    at_s: float
    step: str
    text: str = ""


def lines_to_json(lines: Sequence[StepLine]) -> list[dict[str, Any]]:
    """Plain values."""
    return [asdict(line) for line in lines]


def lines_from_json(written: object) -> tuple[StepLine, ...]:
    """What `lines_to_json` wrote; a line without its time or its step is left out."""
    lines = []
    for item in a_list(written):
        fields = an_object(item) or {}
        at_s, step = a_number(fields.get("at_s")), a_text(fields.get("step"))
        if at_s is not None and step is not None:
            lines.append(StepLine(at_s, step, a_text(fields.get("text")) or ""))
    return tuple(lines)
