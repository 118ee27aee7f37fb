"""The API server's front: the public address it was given, and a private one of its own.

A supervisor owns the listening socket of an address and starts engines that inherit it, so that
one can stop and the next begin without a refused connection: what comes in between waits in the
kernel's queue. The engine is always reached by a Unix socket, too, because an address tells nothing
about which of two engines answers.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..common.log import say_once

_RETURN = (b"connection", b"close")
_ANSWER_S = 1.5


class Front:
    """The inherited listener of this process, and the uvicorn server that takes from it.

    `answer` is called once the server has started: from then on the front can be asked.
    """

    def __init__(
        self, listener: socket.socket, held: bool, answer: Callable[[Front], None]
    ) -> None:
        self.listener = listener
        self.held = held
        self._answer = answer
        self._server: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._public_servers: list[Any] = []
        self._http: socket.socket | None = None

    def patch_maker(self, module: ModuleType) -> None:
        """Let `create_server_socket` give the inherited socket for its own address."""
        create = getattr(module, "create_server_socket", None)
        if create is None or getattr(create, "trimtab", False):
            return

        @functools.wraps(create)
        def create_server_socket(address: Any, *args: Any, **kwargs: Any) -> socket.socket:
            if address[1] == self.listener.getsockname()[1]:
                return self.listener.dup()
            created: socket.socket = create(address, *args, **kwargs)
            return created

        create_server_socket.trimtab = True  # type: ignore[attr-defined]
        module.create_server_socket = create_server_socket  # type: ignore[attr-defined, unused-ignore]

    def patch_server(self, module: ModuleType) -> None:
        """Let uvicorn's server start with our sockets, and tell us that it has."""
        server_class: Any = module.Server  # type: ignore[attr-defined, unused-ignore]
        begin = server_class.startup

        @functools.wraps(begin)
        async def startup(server: Any, sockets: Any = None) -> None:
            try:
                sockets = self._sockets(server, sockets)
            except Exception as error:
                say_once("has no front", error)
            await begin(server, sockets=sockets)
            try:
                self._started(server)
            except Exception as error:
                say_once("has no front", error)

        server_class.startup = startup

    def _sockets(self, server: Any, sockets: list[socket.socket] | None) -> Any:
        """The sockets to start with: the private one, and the public one unless it is held."""
        address = self.listener.getsockname()
        if not sockets or all(listener.getsockname() != address for listener in sockets):
            return sockets
        from ..private_socket.server import own_path
        from ..private_socket.sockets import listen

        self._http = listen(own_path("-http.sock"))
        self._server = server
        if not self.held:
            return [*sockets, self._http]
        for listener in sockets:
            listener.close()
        return [self._http]

    def _started(self, server: Any) -> None:
        if server is not self._server:
            return
        self._loop = asyncio.get_running_loop()
        self._public_servers = [
            listening
            for listening in server.servers
            if all(sock.family != socket.AF_UNIX for sock in listening.sockets)
        ]
        self._answer(self)

    @property
    def http_path(self) -> str:
        """Where this engine is reached whoever has the address."""
        return str(self._http.getsockname()) if self._http is not None else ""

    def state(self) -> dict[str, Any]:
        """Whether it accepts, and how many public connections and requests it has."""
        return self._on_loop(self._count())

    def open(self) -> dict[str, Any]:
        """Accept connections from the address."""
        return self._on_loop(self._open())

    def close(self) -> dict[str, Any]:
        """Accept no more; what runs goes on, and is told to come back by a new connection."""
        return self._on_loop(self._close())

    def _on_loop(self, coroutine: Any) -> dict[str, Any]:
        assert self._loop is not None
        state: dict[str, Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(
            _ANSWER_S
        )
        return state

    async def _count(self) -> dict[str, Any]:
        public_connections = [
            connection
            for connection in self._server.server_state.connections
            if _is_public(connection)
        ]
        return {
            "accepting": bool(self._public_servers),
            "connections": len(public_connections),
            "in_flight": sum(_is_busy(connection) for connection in public_connections),
        }

    async def _open(self) -> dict[str, Any]:
        server, loop = self._server, asyncio.get_running_loop()
        if not self._public_servers:
            state, config = server.server_state, server.config
            make = functools.partial(
                config.http_protocol_class,
                config=config,
                server_state=state,
                app_state=server.lifespan.state,
            )
            public_server = await loop.create_server(
                make, sock=self.listener.dup(), ssl=config.ssl, backlog=config.backlog
            )
            server.servers.append(public_server)
            self._public_servers.append(public_server)
            for headers in (state.default_headers, config.encoded_headers):
                headers[:] = [header for header in headers if header != _RETURN]
        return await self._count()

    async def _close(self) -> dict[str, Any]:
        server = self._server
        for listening in self._public_servers:
            listening.close()
            server.servers.remove(listening)
        if self._public_servers:
            # uvicorn makes the first list anew from the second, once a second.
            for headers in (server.server_state.default_headers, server.config.encoded_headers):
                headers.append(_RETURN)
        self._public_servers.clear()
        return await self._count()


def _is_public(connection: Any) -> bool:
    channel = connection.transport.get_extra_info("socket")
    return channel is None or channel.family != socket.AF_UNIX


def _is_busy(connection: Any) -> bool:
    """Whether a request runs on it; a connection of another kind than HTTP is taken to be busy."""
    cycle = getattr(connection, "cycle", connection)
    if cycle is None:
        return False
    return not getattr(cycle, "response_complete", False) or bool(
        getattr(connection, "pipeline", ())
    )
