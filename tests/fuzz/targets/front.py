"""A front on a real uvicorn: python -m tests.fuzz.targets.front DIRECTORY"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
import uvicorn.server

from engines.inside.trimtab_inside.api_front.desk import FrontDesk
from engines.inside.trimtab_inside.api_front.front import _RETURN, Front
from engines.inside.trimtab_inside.private_socket import sockets
from engines.inside.trimtab_inside.private_socket.server import Server
from tests.fuzz.targets.telling import tell_until_asked_to_end


async def _app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


def main() -> None:
    """Serve and tell."""
    home = Path(sys.argv[1])
    sockets.ROOT = home
    path = home / "front.sock"
    stands = threading.Event()

    def answer(front: Front) -> None:
        Server(path, FrontDesk(front)).start()
        stands.set()

    listener = socket.create_server(("127.0.0.1", 0))
    front = Front(listener, False, answer)
    front.patch_server(uvicorn.server)
    config = uvicorn.Config(_app, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    # uvicorn would take the signals of the main thread, which tells.
    threading.Thread(
        target=lambda: asyncio.run(server._serve([listener.dup()])), daemon=True
    ).start()
    stands.wait()
    tell_until_asked_to_end(path, lambda: _state(front, server))


def _state(front: Front, server: uvicorn.Server) -> dict[str, Any]:
    """Whether it really takes connections, and what opening and closing may have left double."""
    headers = server.server_state.default_headers
    fault = ""
    if len(front._public_servers) > 1:
        fault = f"{len(front._public_servers)} public servers"
    if headers.count(_RETURN) > 1:
        fault = "answers tell more than once to come back"
    return {"values": {"accepting": bool(front._public_servers)}, "calm": True, "fault": fault}


if __name__ == "__main__":
    main()
