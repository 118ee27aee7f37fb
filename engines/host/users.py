"""Users of this host, and whether a process is one of ours."""

from __future__ import annotations

import os
import pwd
from functools import lru_cache

from engines.host.procfs import user_id
from store.foreign_text import printable

_UNKNOWN = "an unknown user"


@lru_cache(maxsize=64)
def user_name(number: int) -> str:
    """What a user is called; by its number where it has no name, as in many containers."""
    try:
        return printable(pwd.getpwuid(number).pw_name)
    except KeyError:
        return f"user {number}"


def other_user(pid: int) -> str:
    """The user that a process runs as where that is another than ours, else ''.

    One that has ended is not ours: whose it was cannot be said any more.
    """
    owner = user_id(pid)
    if owner is None:
        return _UNKNOWN
    return "" if owner == os.geteuid() else user_name(owner)
