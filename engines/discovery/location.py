"""Where a local engine can be reached: its listening socket as an address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.command_line.arguments import DEFAULT_PORT, LaunchArguments, read_arguments
from engines.control.api_front import front_path
from engines.host.listener_at import listener_at
from engines.host.listeners import (
    TcpListener,
    TcpListeners,
    holds_socket,
    may_listen,
    socket_inodes,
)
from engines.host.processes import EngineTree
from engines.host.procfs import read_text, same_network, user_id, working_directory
from engines.host.routes import is_on_link
from engines.host.users import other_user
from engines.inside.trimtab_inside.private_socket.sockets import is_there
from engines.serving import registry
from engines.web.address import make_url
from store.foreign_text import printable

_LOOPBACKS = ("127.0.0.1", "::1")
_MOST_LOOKED_AT = 1000
_LOCAL_ADDRESS = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")


@dataclass(frozen=True, slots=True)
class Location:
    """Where one engine serves.

    `urls` are the addresses to try, likeliest first; where it cannot be reached there is one that
    names it, and `problem` says why. `listeners` are its sockets in our own network.
    """

    tree: EngineTree
    launch: LaunchArguments
    urls: tuple[str, ...]
    problem: str = ""
    listeners: tuple[TcpListener, ...] = ()

    @property
    def certificate(self) -> Path | None:
        """The file of the certificate that the engine shows over TLS."""
        name = self.launch.certificate
        return None if name is None else Path(_absolute(name, self.tree.root.pid))

    @property
    def reachable(self) -> bool:
        """Whether it makes sense to ask over HTTP."""
        return not self.problem


def locate_all(trees: Iterable[EngineTree]) -> list[Location]:
    """Where engines serve, those left out for which `locate` gives None.

    What one look at the machine can tell of all is read once: another user may let hundreds of
    processes look like engines.
    """
    listeners, without_address = TcpListeners(), registry.without_address()
    places = (_locate(tree, listeners) for tree in trees if tree.root.pid not in without_address)
    return [place for place in places if place is not None]


def locate(tree: EngineTree) -> Location | None:
    """Where an engine serves; None for a process tree that serves nothing (`LLM()` in a script,
    a `--headless` node) or is in a swap while another engine serves the address."""
    return next(iter(locate_all([tree])), None)


def _locate(tree: EngineTree, listeners: TcpListeners) -> Location | None:
    launch = read_arguments(tree.launch or ())
    if launch.headless:
        return None
    if launch.unix_socket is not None:
        path = _absolute(launch.unix_socket, tree.root.pid)
        problem = "serves on a Unix socket, which trimtab does not read: give it a --port"
        return Location(tree, launch, (f"unix://{printable(path)}",), problem)
    own_listeners = _expected_listener(tree, launch) or _own_listeners(tree, launch, listeners)
    if not own_listeners:
        if tree.launch is None:
            return None
        scheme = "https" if launch.tls else "http"
        url = make_url(scheme, "127.0.0.1", launch.port or DEFAULT_PORT) + launch.root_path
        return Location(tree, launch, (url,), _why_silent(tree.root.pid))
    return _from_listeners(tree, launch, own_listeners)


def _why_silent(pid: int) -> str:
    """Why an engine listens nowhere. One that we started has a front once it has served, and closes
    its sockets before it ends."""
    owner = user_id(pid)
    if owner is not None and is_there(front_path(pid, owner)):
        return "is being stopped: it listens no more"
    return "is starting: it does not listen yet"


def _from_listeners(
    tree: EngineTree, launch: LaunchArguments, listeners: list[TcpListener]
) -> Location:
    scheme = "https" if launch.tls else "http"
    is_our_network = same_network(tree.root.pid)
    urls = []
    for listener in listeners:
        host: str | None = listener.address
        if listener.accepts_any:
            loopback = "::1" if ":" in listener.address else "127.0.0.1"
            host = loopback if is_our_network else _container_address(tree.root.pid)
        elif not is_our_network and (
            listener.address.startswith("127.") or listener.address == "::1"
        ):
            host = None
        if host is not None:
            urls.append(make_url(scheme, host, listener.port) + launch.root_path)
    if not urls:
        problem = "listens inside its container only: publish its port, or run trimtab in there"
        return Location(tree, launch, (f"pid://{tree.root.pid}:{listeners[0].port}",), problem)
    return Location(tree, launch, tuple(urls), "", tuple(listeners) if is_our_network else ())


def _expected_listener(tree: EngineTree, launch: LaunchArguments) -> list[TcpListener]:
    """The one where the command line says that the API server listens, if it does."""
    if not same_network(tree.root.pid):
        return []
    port = launch.port or DEFAULT_PORT
    for address in dict.fromkeys((launch.address or _LOOPBACKS[0], *_LOOPBACKS)):
        listener = listener_at(address, port)
        if listener is not None and _is_of(tree, listener):
            return [listener]
    return []


def _is_of(tree: EngineTree, listener: TcpListener) -> bool:
    """Whether a socket is the API server's; where we may not look its user must do."""
    seen = holds_socket(tree.root.pid, listener.inode)
    if seen is None:
        return listener.user_id == user_id(tree.root.pid)
    return seen or any(holds_socket(server.pid, listener.inode) for server in tree.api_servers)


def _own_listeners(
    tree: EngineTree, launch: LaunchArguments, listeners: TcpListeners
) -> list[TcpListener]:
    """Those of its network that are the API server's, the one on its `--port` first. Of another
    user's, who may have any number, only what lies among the first is found."""
    pid = tree.root.pid
    if not any(may_listen(each) for each in (pid, *(server.pid for server in tree.api_servers))):
        return []
    expected_port = launch.port or DEFAULT_PORT
    return sorted(
        _of_engine(tree, launch, listeners.of(pid, _MOST_LOOKED_AT if other_user(pid) else None)),
        key=lambda listener: (listener.port != expected_port, listener.port, listener.address),
    )


def _of_engine(
    tree: EngineTree, launch: LaunchArguments, listeners: Sequence[TcpListener]
) -> list[TcpListener]:
    """Those that are the API server's.

    With several API servers parent and children hold the same socket; the parent speaks for all.
    Where we may not see whose a socket is, its user and port must do.
    """
    inodes = socket_inodes(tree.root.pid)
    if inodes is None:
        owner = user_id(tree.root.pid)
        expected_port = launch.port or DEFAULT_PORT
        return [
            listener
            for listener in listeners
            if listener.port == expected_port and listener.user_id == owner
        ]
    own_listeners = [listener for listener in listeners if listener.inode in inodes]
    if own_listeners:
        return own_listeners
    server_inodes: set[int] = set()
    server_inodes.update(*(socket_inodes(server.pid) or () for server in tree.api_servers))
    return [listener for listener in listeners if listener.inode in server_inodes]


def _container_address(pid: int) -> str | None:
    """The first IPv4 address of a process's own network that is not its loopback.

    Whoever made that network chose the address: one that lies behind a gateway of ours is none.
    """
    routes = read_text(f"/proc/{pid}/net/fib_trie") or ""
    addresses = (address for address in _LOCAL_ADDRESS.findall(routes))
    address = next((address for address in addresses if not address.startswith("127.")), None)
    return address if address is not None and is_on_link(address) else None


def _absolute(path: str, pid: int) -> str:
    return str((working_directory(pid) or Path("/")) / path)
