"""Engines of trimtab's whose keeper and supervisor are both gone: they serve, and hold their
address, and nobody would start them again."""

from __future__ import annotations

import os

from engines.control.api_front import front_path
from engines.serving.names import base_name, is_in_swap
from engines.serving.registry import Serving, list_serving, without_address
from engines.supervisor_client.client import is_supervised


def is_orphaned(serving: Serving) -> bool:
    """Whether an engine that was given its address has no supervisor any more."""
    had_address = is_in_swap(serving.name) or front_path(serving.pid, os.geteuid()).exists()
    return had_address and not is_supervised(base_name(serving.name))


def list_orphaned() -> list[Serving]:
    """Those of this user, by name; without those of a swap beside which another serves."""
    without = without_address()
    return [
        serving for serving in list_serving() if serving.pid not in without and is_orphaned(serving)
    ]
