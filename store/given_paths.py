"""Paths as a person gives them: on a command line, in a variable, in a settings file."""

from __future__ import annotations

from pathlib import Path

from store.errors import BadInput
from store.foreign_text import printable

_SHOWN = 200


def given_path(text: str | Path) -> Path:
    """The path with its `~` or `~user` replaced; raises `BadInput` where it cannot be one."""
    shown = printable(str(text), _SHOWN)
    if "\0" in str(text):
        raise BadInput(f"{shown} cannot be a path", "it has a zero byte in it")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise BadInput(
            f"{shown} cannot be found", "The system knows no home directory for it"
        ) from None
