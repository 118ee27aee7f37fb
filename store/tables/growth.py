"""The rule that a run only grows, as an error."""

from __future__ import annotations

from store.errors import TrimtabError


class NotCumulative(TrimtabError):
    """A row is not after the run's last one, or a value in it fell: it belongs to another run."""

    def __init__(self, column: str, before: int, after: int) -> None:
        super().__init__(
            f"{column} went from {before} to {after}",
            "Within a run everything only grows, so this reading was not stored",
            "Open a new run",
        )
        self.column = column
