"""The restart of an engine under a supervisor, from its beginning to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from store.reports.fields import a_count, a_number, a_text
from store.reports.outcomes import RUNNING
from store.reports.step_line import StepLine, lines_from_json

GIVEN_BACK = "given back"
"""The old command runs by itself again."""
LOST = "lost"
"""Neither the new engine nor the old command runs."""


@dataclass(frozen=True, slots=True)
class AdoptionReport:
    """The adoption of the engine `name` at `url`. `pid` is the process that serves in the end.

    `way` is how its address was had (`beside`, `after`, `as it runs`), `cut` the number of requests
    that were cut (None: unknown how many), `waited_s` the seconds in which new connections waited,
    `took_s` those of the whole, None before the end.
    """

    name: str
    url: str
    way: str
    outcome: str = RUNNING
    reason: str = ""
    pid: int | None = None
    cut: int | None = 0
    waited_s: float = 0.0
    took_s: float | None = None
    steps: tuple[StepLine, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values; `took_s` only where it is known."""
        values = asdict(self)
        if self.took_s is None:
            del values["took_s"]
        return values | {"steps": list(values["steps"])}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> AdoptionReport:
        """What `to_json` wrote; a field that is missing or of another type is unknown."""
        texts = ("name", "url", "way", "outcome", "reason")
        return cls(
            **{name: a_text(written.get(name)) or "" for name in texts},
            pid=a_count(written.get("pid")),
            cut=a_count(written.get("cut")),
            waited_s=a_number(written.get("waited_s")) or 0.0,
            took_s=a_number(written.get("took_s")),
            steps=lines_from_json(written.get("steps")),
        )
