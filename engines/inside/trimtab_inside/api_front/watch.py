"""Makes an API server that was given a listening socket serve on it, and lets it be asked.

TRIMTAB_LISTEN_FD names the inherited descriptor; with TRIMTAB_HOLD=1 the engine starts without
taking from it.
"""

from __future__ import annotations

import os
import socket

from ..common.imports import when_imported
from ..common.log import say
from .front import Front

DESCRIPTOR = "TRIMTAB_LISTEN_FD"
HOLD = "TRIMTAB_HOLD"
MAKERS = ("vllm.entrypoints.launchers.launcher", "vllm.entrypoints.openai.api_server")
"""Modules whose `create_server_socket` vLLM calls, the newer first (0.32, older)."""


def watch_front() -> None:
    """Where a supervisor passed a listening socket, make vLLM serve on it.

    The descriptor is closed in children at once: an EngineCore that outlives its API server would
    keep the address.
    """
    number = os.environ.pop(DESCRIPTOR, None)
    held = os.environ.pop(HOLD, None) == "1"
    if number is None:
        return
    os.set_inheritable(int(number), False)
    front = Front(socket.socket(fileno=int(number)), held, _answer)
    for name in MAKERS:
        when_imported(name, front.patch_maker)
    when_imported("uvicorn.server", front.patch_server)


def _answer(front: Front) -> None:
    """Open the socket on which a supervisor asks the front."""
    from ..private_socket.server import replace_server
    from .desk import FrontDesk

    control = replace_server("-front", FrontDesk(front))
    control.start()
    say(f"front on {control.path}: {'held' if front.held else 'open'}")
