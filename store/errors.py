"""The one family of errors.

    TrimtabError            what happened, what it means, what to do; an exit code
    ├── BadInput            the person asked for something that cannot be asked (exit 2)
    ├── LedgerUnusable      the database is not ours, newer than us, or cannot be written (exit 2)
    ├── NotAchieved         the thing asked for did not hold (exit 1)
    └── EngineUnreachable   no engine answered (exit 3)

Every layer raises these; only `app` turns them into a line on a terminal or a notice on the screen.
"""

from __future__ import annotations

from typing import ClassVar


class TrimtabError(Exception):
    """An error a person can act on.

    `what` is the event in a few words, `meaning` what follows from it, `remedy` the next step.
    Either of the last two may be empty where it would only repeat the first.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, meaning: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.meaning = meaning
        self.remedy = remedy

    def __str__(self) -> str:
        """One line: what, then meaning, then remedy."""
        parts = (self.what, self.meaning, self.remedy)
        return ". ".join(part.rstrip(".") for part in parts if part)


class NotAchieved(TrimtabError):
    """The thing asked for was understood and did not hold."""

    exit_code = 1


class BadInput(TrimtabError):
    """What was asked for cannot be asked: an unknown name, a value out of bounds, a bad file."""

    exit_code = 2


class LedgerUnusable(TrimtabError):
    """The database is not a ledger, is newer than this program, or cannot be read or written."""

    exit_code = 2


class EngineUnreachable(TrimtabError):
    """No engine answers where one was expected."""

    exit_code = 3


class NotCumulative(TrimtabError):
    """A row is not after the run's last one, or a value in it fell: it belongs to another run."""

    def __init__(self, column: str, before: int, after: int) -> None:
        super().__init__(
            f"{column} went from {before} to {after}",
            "Within a run everything only grows, so this reading was not stored",
            "Open a new run",
        )
        self.column = column
