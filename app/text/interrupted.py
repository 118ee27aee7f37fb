"""A command that a person interrupted, and what goes on without it."""

from __future__ import annotations

from store.errors import TrimtabError

INTERRUPTED = 130
"""What a shell calls a program that SIGINT ended."""


class Interrupted(TrimtabError):
    """Somebody pressed Ctrl-C; `meaning` says what goes on all the same."""

    exit_code = INTERRUPTED
