import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engines.host import listeners
from engines.host.listener_at import listener_at


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "127.1.2.3"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
    ],
)
def test_a_listening_socket_is_found_with_its_owner(
    family: socket.AddressFamily, address: str
) -> None:
    with socket.socket(family) as server:
        server.bind((address, 0))
        port = server.getsockname()[1]
        assert port not in [li.port for li in listeners.tcp_listeners()]  # bound, not listening
        assert listener_at(address, port) is None
        server.listen()
        found = next(li for li in listeners.tcp_listeners() if li.port == port)
        assert listener_at(address, port) == found
        assert (found.address, found.user_id) == (address, os.geteuid())
        assert found.accepts_any == (address in ("0.0.0.0", "::"))
        assert found.inode in (listeners.socket_inodes(os.getpid()) or ())
        assert listeners.holds_socket(os.getpid(), found.inode)
        assert listeners.holds_socket(os.getppid(), found.inode) is False
        assert listeners.holds_socket(2**22 + 1, found.inode) is None
        assert listeners.owner_of(found.inode) == os.getpid()


def test_a_mapped_address_reads_as_ipv4() -> None:
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::ffff:127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert [li.address for li in listeners.tcp_listeners() if li.port == port] == ["127.0.0.1"]


def test_who_listens_everywhere_listens_at_each_address() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert listener_at("127.0.0.1", port) == listener_at("127.3.2.1", port) is not None
        assert listener_at("::1", port) is None


def test_of_a_long_table_the_listeners_are_read_and_of_them_as_many_as_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        connected, _ = server.accept()
        with connected:
            table = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
            count = sum(line.split()[3] == "0A" for line in table)
            assert [line.split()[3] == "0A" for line in table] == sorted(
                (line.split()[3] == "0A" for line in table), reverse=True
            )
            assert count < len(table)
            assert len(listeners.tcp_listeners(most=1)) <= 2  # of each family


def test_connections_to_a_listener_are_not_looked_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = []
    readlink = os.readlink
    monkeypatch.setattr(os, "readlink", lambda path: read.append(path) or readlink(path))
    with contextlib.ExitStack() as held:
        server = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        (inode,) = (li.inode for li in listeners.tcp_listeners() if li.port == _port(server))
        assert listeners.holds_socket(os.getpid(), inode)
        few = len(read)
        for _ in range(100):
            held.enter_context(socket.create_connection(server.getsockname()))
            held.enter_context(server.accept()[0])
        read.clear()
        assert listeners.holds_socket(os.getpid(), inode)
        assert len(read) <= few + 1


def _port(server: socket.socket) -> int:
    return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("family", "kind", "may"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, True),
        (socket.AF_INET6, socket.SOCK_STREAM, True),
        (socket.AF_INET, socket.SOCK_DGRAM, False),
        (socket.AF_UNIX, socket.SOCK_STREAM, False),
    ],
)
def test_only_who_holds_a_tcp_socket_may_listen(
    family: socket.AddressFamily, kind: socket.SocketKind, may: bool
) -> None:
    code = "print('ready', flush=True); input()"
    with socket.socket(family, kind) as held:
        words = [sys.executable, "-c", code]
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[held.fileno()]
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdout.readline()
            assert listeners.may_listen(process.pid) is may
            process.stdin.close()
    assert listeners.may_listen(2**22 + 1)  # nobody can say


def test_the_kernel_says_who_listens_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "with space.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as forged:
        # Anybody can put lines into /proc/net/unix.
        forged.bind(f"\0a\n0: 2 0 10000 1 1 zz {os.getpid()}".encode())
        forged.listen()
        server.bind(str(path))
        assert listeners.unix_listener(str(path)) is None  # bound, not listening
        server.listen()
        assert listeners.unix_listener(str(path)) == os.getpid()


def test_a_process_that_is_not_there_holds_no_sockets() -> None:
    assert listeners.socket_inodes(2**22 + 1) is None
    assert listeners.tcp_listeners(2**22 + 1) == []
    assert listeners.owner_of(1) is None
