"""Engines of trimtab's whose keeper and supervisor are both gone: they serve, and hold their
address, and nobody would start them again."""

from __future__ import annotations

import os

from engines.control.api_front import front_path
from engines.serving.names import base_name
from engines.serving.registry import Serving, list_serving
from engines.supervisor_client.client import status


def is_orphaned(one: Serving) -> bool:
    """Whether an engine that was given its address has no supervisor any more."""
    return front_path(one.pid, os.geteuid()).exists() and status(one.name) is None


def list_orphaned() -> list[Serving]:
    """Those of this user, by name."""
    return [one for one in list_serving() if one.name == base_name(one.name) and is_orphaned(one)]
