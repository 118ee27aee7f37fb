"""Engines of trimtab's whose keeper and supervisor are both gone: they serve, and hold their
address, and nobody would start them again."""

from __future__ import annotations

import os

from engines.control.api_front import front_path
from engines.serving.names import is_in_swap
from engines.serving.registry import Serving, list_serving
from engines.supervisor_client.client import status


def is_orphaned(serving: Serving) -> bool:
    """Whether an engine that was given its address has no supervisor any more."""
    return front_path(serving.pid, os.geteuid()).exists() and status(serving.name) is None


def list_orphaned() -> list[Serving]:
    """Those of this user, by name."""
    return [
        serving
        for serving in list_serving()
        if not is_in_swap(serving.name) and is_orphaned(serving)
    ]
