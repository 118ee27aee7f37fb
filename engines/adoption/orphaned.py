"""Engines of trimtab's whose keeper and supervisor are both gone: they serve, and hold their
address, and nobody would start them again."""

from __future__ import annotations

import os
import socket

from engines.control.front import Front, front_path
from engines.control.wire import ControlLost, ControlRefused
from engines.serving import registry as serving
from engines.serving.registry import Serving
from engines.supervisor.takeover.sockets import Held, copy_of, socket_places
from store.errors import NotAchieved


def is_orphaned(one: Serving) -> bool:
    """Whether an engine that was given its address has no supervisor any more."""
    from engines.supervision.client import status

    return front_path(one.pid, os.geteuid()).exists() and status(one.name) is None


def list_orphaned() -> list[Serving]:
    """Those of this user, by name."""
    return [
        one
        for one in serving.list_serving()
        if one.name == serving.base_name(one.name) and is_orphaned(one)
    ]


def listener_of(one: Serving, held: Held) -> socket.socket:
    """The very socket that it serves on; raises `NotAchieved` where it cannot be had."""
    try:
        return Front(front_path(one.pid, os.geteuid())).listener()
    except (ControlLost, ControlRefused):
        pass
    try:
        return copy_of(held.inode, socket_places(held.pids))
    except OSError as error:
        raise NotAchieved(f"{one.name} does not give its address", error.strerror or "") from None
