"""The supervisor's own process: it lives through its states and answers on its socket."""

from __future__ import annotations

import signal

from engines.inside.trimtab_inside.private_socket.server import Server
from engines.inside.trimtab_inside.private_socket.sockets import own_directory
from engines.serving.stopping import DRAIN_S
from engines.supervisor.answering import SupervisorDesk
from engines.supervisor.common.telling import finish
from engines.supervisor.states.context import Context
from engines.supervisor.states.lifecycle import Lifecycle
from engines.supervisor_client.client import socket_name

TOLD_S = 5.0
"""How long the ledger may take for what is not written yet at the end."""


def supervise(context: Context) -> int:
    """Supervise until the engine is stopped (0) or given up (1)."""
    lifecycle = Lifecycle(context)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: lifecycle.ask_stop(DRAIN_S))
    path = own_directory() / socket_name(context.launch.name)
    control = Server(path, SupervisorDesk(lifecycle))
    control.start()
    try:
        return lifecycle.run()
    finally:
        control.stop()
        finish(TOLD_S)
