"""The supervisor's own process: it lives through its states and answers on its socket."""

from __future__ import annotations

import signal

from engines.inside.trimtab_inside.private_socket.server import Server
from engines.inside.trimtab_inside.private_socket.sockets import own_directory
from engines.serving.stopping import DRAIN_S
from engines.supervisor.answering import SupervisorDesk
from engines.supervisor.common.telling import finish
from engines.supervisor.life.shared import Life
from engines.supervisor.life.supervisor import Supervisor
from engines.supervisor_client.client import socket_name

TOLD_S = 5.0
"""How long the ledger may take for what is not written yet at the end."""


def supervise(life: Life) -> int:
    """Supervise until the engine is stopped (0) or given up (1)."""
    supervisor = Supervisor(life)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.ask_stop(DRAIN_S))
    path = own_directory() / socket_name(life.launch.name)
    control = Server(path, SupervisorDesk(supervisor))
    control.start()
    try:
        return supervisor.run()
    finally:
        control.stop()
        finish(TOLD_S)
