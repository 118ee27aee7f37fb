"""One finding of `trimtab doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and found. `ok` is None for what is neither right nor wrong here.

    `remedy` is what to do, empty where there is nothing to.
    """

    name: str
    ok: bool | None
    what: str
    remedy: str = ""
