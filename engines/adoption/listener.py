"""The address of an engine that is taken over as it runs."""

from __future__ import annotations

import os
import socket

from engines.control.api_front import Front, front_path
from engines.control.wire import ControlLost, ControlRefused
from engines.serving.registry import Serving
from engines.supervisor.takeover.sockets import Held, copy_of, socket_places
from store.errors import NotAchieved


def listener_of(serving: Serving, held: Held) -> socket.socket:
    """The very socket that it serves on; raises `NotAchieved` where it cannot be had."""
    try:
        return Front(front_path(serving.pid, os.geteuid())).listener()
    except (ControlLost, ControlRefused):
        pass
    try:
        return copy_of(held.inode, socket_places(held.pids))
    except OSError as error:
        raise NotAchieved(
            f"{serving.name} does not give its address", error.strerror or ""
        ) from None
