"""The private directory, and what is refused in it."""

import os
import socket
import stat
import time
from pathlib import Path

import pytest

from engines.inside.trimtab_inside.private_socket import sockets

DEAD_PID = 2**22 + 1


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The two places of our directory, neither made yet."""
    for name in ("ROOT", "RUN"):
        monkeypatch.setattr(sockets, name, tmp_path / name)
        (tmp_path / name).mkdir()
    run = tmp_path / "RUN"
    if os.geteuid():
        run = run / "user" / str(os.geteuid())
        run.mkdir(parents=True)
    return tmp_path / "ROOT" / f"trimtab-{os.geteuid()}", run / "trimtab"


def test_client_and_plugin_agree_on_the_place(places: tuple[Path, Path]) -> None:
    usual, other = places
    user = os.geteuid()
    assert sockets.directories(user) == places
    assert sockets.place_of("42.sock", user) == usual / "42.sock"
    assert sockets.own_directory() == usual
    other.mkdir(mode=0o700)
    with sockets.listen(other / "42.sock"):
        assert sockets.place_of("42.sock", user) == other / "42.sock"
        with sockets.listen(usual / "42.sock"):
            assert sockets.place_of("42.sock", user) == usual / "42.sock"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")
def test_a_directory_that_a_stranger_made_stops_nobody(places: tuple[Path, Path]) -> None:
    usual, other = places
    usual.mkdir(mode=0o700)
    os.chown(usual, 65534, 65534)
    (usual / "42.sock").touch()
    assert sockets.own_directory() == other
    with sockets.listen(other / "42.sock"):
        assert sockets.place_of("42.sock", 0) == other / "42.sock"
    os.chown(other, 65534, 65534)
    theirs = r"trimtab-0 belongs to nobody \(uid 65534\); .*nobody"
    with pytest.raises(sockets.Refused, match=theirs):
        sockets.own_directory()


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
    with pytest.raises(sockets.Refused, match="belongs to"):
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


def test_what_a_killed_supervisor_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    hour_ago = time.time() - 3600
    paths = {name: tmp_path / f"supervisor-{name}.sock" for name in ("dead", "new", "alive")}
    for name in ("dead", "new"):
        sockets.listen(paths[name]).close()
    with sockets.listen(paths["alive"]):
        for name in ("dead", "alive"):
            os.utime(paths[name], (hour_ago, hour_ago))
        sockets.sweep(tmp_path)
        assert [name for name, path in paths.items() if path.exists()] == ["new", "alive"]
