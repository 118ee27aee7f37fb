"""The private directory, and what is refused in it."""

import os
import socket
import stat
from pathlib import Path

import pytest

from engines.control.client import socket_path
from engines.inside.trimtab_inside.private_socket import sockets

DEAD_PID = 2**22 + 1


def test_client_and_plugin_agree_on_the_place() -> None:
    assert socket_path(42, 7) == sockets.directory(7) / "42.sock"


def test_directory_is_made_for_the_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "trimtab-0"
    sockets.prepare_directory(home)
    sockets.prepare_directory(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_directory_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "open"
    home.mkdir()
    home.chmod(0o755)
    with pytest.raises(sockets.Refused, match="entered by others"):
        sockets.prepare_directory(home)


def test_symlink_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to(real)
    with pytest.raises(sockets.Refused, match="not a directory"):
        sockets.prepare_directory(link)


def test_directory_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "theirs"
    home.mkdir(mode=0o700)
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(sockets.Refused, match="belongs to uid"):
        sockets.prepare_directory(home)


def test_socket_is_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "1.sock"
    with sockets.listen(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_live_socket_is_not_taken_over_and_a_dead_one_is(tmp_path: Path) -> None:
    path = tmp_path / "1.sock"
    with sockets.listen(path), pytest.raises(sockets.Refused, match="in use"):
        sockets.listen(path)
    with sockets.listen(path):
        assert sockets.answers(path)


def test_sweep_removes_only_what_the_dead_left(tmp_path: Path) -> None:
    dead, foreign, ours, other = (
        tmp_path / name
        for name in (f"{DEAD_PID}.sock", f"{DEAD_PID + 1}.sock", f"{os.getpid()}.sock", "x.sock")
    )
    for path in (dead, ours, other):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
    with sockets.listen(foreign):  # its process has another PID than we see
        sockets.sweep(tmp_path)
        assert foreign.exists()
    assert not dead.exists()
    assert ours.exists()
    assert other.exists()


def test_peer_uid_is_the_kernels_word() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert sockets.peer_uid(here) == os.geteuid()
