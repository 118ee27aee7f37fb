"""Files for their owner alone, under any umask, and never by way of a link."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.ledger.connection import Ledger
from store.private_files import open_log, open_private, private_directory


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_whatever_the_umask_is_nobody_else_reads_it(tmp_path: Path, umask: int) -> None:
    log = tmp_path / "a" / "b" / "x.log"
    with open_log(log) as file:
        file.write(b"one\n")
    with open_log(log) as file:
        assert file.tell() == 4
        file.write(b"two\n")
    assert log.read_bytes() == b"one\ntwo\n"
    with open_log(log, afresh=True) as file:
        file.write(b"three\n")
    assert log.read_bytes() == b"three\n"
    assert (mode(log), mode(log.parent), mode(tmp_path / "a")) == (0o600, 0o700, 0o700)
    db = tmp_path / "data" / "deep" / "ledger.db"
    Ledger.open(db).close()
    assert (mode(db), mode(db.parent), mode(tmp_path / "data")) == (0o600, 0o700, 0o700)


def test_a_log_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.touch(0o666)
    log.chmod(0o666)
    open_log(log).close()
    assert mode(log) == 0o600


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("as it was")
    link = tmp_path / "x.log"
    link.symlink_to(target)
    for afresh in (False, True):
        with pytest.raises(OSError, match="symbolic link"):
            open_log(link, afresh=afresh)
    assert target.read_text() == "as it was"


def test_what_is_no_file_of_ours_is_left(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=r"not a file of ours|No such device"):
        open_private(pipe, os.O_WRONLY)
    if os.geteuid() == 0:
        theirs = tmp_path / "theirs"
        theirs.write_text("as it was")
        os.chown(theirs, 65534, 65534)
        with pytest.raises(PermissionError, match="not a file of ours"):
            open_private(theirs, os.O_WRONLY | os.O_TRUNC)
        assert theirs.read_text() == "as it was"


def test_a_directory_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o750)
    assert private_directory(shared / "mine") == shared / "mine"
    assert (mode(shared), mode(shared / "mine")) == (0o750, 0o700)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        private_directory(tmp_path / "file" / "below")
