"""Opening a ledger: what is made, what is recognised, what is left alone."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from store.errors import LedgerUnusable
from store.ledger import creation, identity
from store.ledger.connection import Ledger
from store.ledger.identity import NewerLedger, NotALedger
from store.ledger.schema import APPLICATION_ID
from store.ledger.versions.steps import SCHEMA_VERSION
from store.tables.engines import list_engines, upsert_engine
from store.tables.runs import list_runs
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[3]


def _files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def _pragma(ledger: Ledger, name: str) -> object:
    return ledger.conn.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_directory_that_somebody_keeps_locked_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "LOCK_S", 0.2)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(LedgerUnusable, match="keeps the directory locked"):
            Ledger.open(tmp_path / "new.db")
    finally:
        os.close(descriptor)
    Ledger.open(tmp_path / "new.db").close()


def test_a_new_ledger_is_private_and_set_up_to_last(tmp_path: Path) -> None:
    path = tmp_path / "data" / "trimtab" / "ledger.db"
    with Ledger.open(path) as ledger:
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        upsert_engine(ledger, "http://h:8000", "e")
        assert all(file.stat().st_mode & 0o777 == 0o600 for file in path.parent.iterdir())
        assert _pragma(ledger, "journal_mode") == "wal"
        assert _pragma(ledger, "auto_vacuum") == 2
        assert _pragma(ledger, "synchronous") == 1
        assert _pragma(ledger, "foreign_keys") == 1
        assert _pragma(ledger, "application_id") == APPLICATION_ID
        assert _pragma(ledger, "user_version") == SCHEMA_VERSION
    assert _files(path.parent) == ["ledger.db"]


def test_an_empty_file_is_a_new_ledger(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    path.touch(0o644)
    with Ledger.open(path) as ledger:
        assert list_engines(ledger) == []
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_written_is_there_the_next_time(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "l.db") as ledger:
        upsert_engine(ledger, "http://h:8000", "one")
    with Ledger.open(tmp_path / "l.db") as ledger:
        assert [row.name for row in list_engines(ledger)] == ["one"]


def _sqlite(path: Path, *, application: int = 0, version: int = 0) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA application_id = {application}")
    other.execute(f"PRAGMA user_version = {version}")
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()


def _wal_of_another(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()


def _truncate(path: Path, size: int) -> None:
    whole = path.with_name("whole.db")
    Ledger.open(whole).close()
    path.write_bytes(whole.read_bytes()[:size])
    whole.unlink()


FOREIGN = {
    "text": (NotALedger, lambda path: path.write_text("hello, I am a diary\n" * 20)),
    "one byte": (NotALedger, lambda path: path.write_bytes(b"\0")),
    "header only": (NotALedger, lambda path: path.write_bytes(b"SQLite format 3\0")),
    "another database": (NotALedger, _sqlite),
    "another database in WAL": (NotALedger, _wal_of_another),
    "another application": (NotALedger, lambda path: _sqlite(path, application=77)),
    "newer": (
        NewerLedger,
        lambda path: _sqlite(path, application=APPLICATION_ID, version=SCHEMA_VERSION + 1),
    ),
    "truncated in the header": (NotALedger, lambda path: _truncate(path, 60)),
    "truncated in the middle": (NotALedger, lambda path: _truncate(path, 20_000)),
}


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("what", FOREIGN)
def test_a_file_that_is_no_ledger_is_left_as_it_was(
    tmp_path: Path, what: str, readonly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The file may get the inode of a ledger that another test has deleted.
    monkeypatch.setattr(identity, "_recognised", set())
    family, make = FOREIGN[what]
    path = tmp_path / "f.db"
    make(path)
    path.chmod(0o644)
    before, status = path.read_bytes(), path.stat()
    with pytest.raises(family) as caught:
        Ledger.open(path, readonly=readonly)
    assert str(path) in caught.value.what
    assert caught.value.meaning
    assert caught.value.remedy
    assert caught.value.exit_code == 2
    assert path.read_bytes() == before
    assert (path.stat().st_mtime_ns, path.stat().st_mode) == (status.st_mtime_ns, status.st_mode)
    assert _files(tmp_path) == ["f.db"]


def test_a_directory_is_not_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(NotALedger, match="directory"):
        Ledger.open(tmp_path)


@pytest.mark.parametrize("readonly", [False, True])
def test_a_link_to_itself_is_not_a_ledger(tmp_path: Path, readonly: bool) -> None:
    path = tmp_path / "l.db"
    path.symlink_to(path)
    with pytest.raises(LedgerUnusable) as caught:
        Ledger.open(path, readonly=readonly)
    assert caught.value.meaning


def test_a_newer_version_that_is_only_in_the_log_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    Ledger.open(path).close()
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    try:
        with pytest.raises(NewerLedger):
            Ledger.open(path)
    finally:
        newer.close()


def test_a_stranger_in_the_place_of_a_known_file_is_not_migrated(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    Ledger.open(path).close()
    content = tmp_path / "other.db"
    _sqlite(content)
    path.write_bytes(content.read_bytes())
    with pytest.raises(NotALedger):
        Ledger.open(path)
    assert path.read_bytes() == content.read_bytes()


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnusable, match="no ledger"):
        Ledger.open(tmp_path / "x" / "l.db", readonly=True)
    (tmp_path / "empty.db").touch()
    with pytest.raises(LedgerUnusable, match="empty"):
        Ledger.open(tmp_path / "empty.db", readonly=True)
    assert _files(tmp_path) == ["empty.db"]
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_a_reader_sees_one_moment_while_a_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with Ledger.open(path) as writer, Ledger.open(path, readonly=True) as reader:
        upsert_engine(writer, "http://a", "a")
        with reader.consistent():
            assert len(list_engines(reader)) == 1
            upsert_engine(writer, "http://b", "b")
            assert len(list_engines(reader)) == 1
        assert len(list_engines(reader)) == 2
        with pytest.raises(LedgerUnusable), reader.transaction():
            upsert_engine(reader, "http://c", "c")


def test_a_reader_finds_what_a_dead_writer_left_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    Ledger.open(path).close()
    _run(
        "from store.ledger.connection import Ledger; import os\n"
        "from store.tables.engines import upsert_engine\n"
        f"ledger = Ledger.open(Path({str(path)!r})); upsert_engine(ledger, 'http://a', 'a')\n"
        "os._exit(0)"
    )
    assert Path(f"{path}-wal").stat().st_size > 0
    with Ledger.open(path, readonly=True) as reader:
        assert [row.name for row in list_engines(reader)] == ["a"]


def test_a_transaction_is_all_or_nothing_and_nests(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "l.db") as ledger:
        with pytest.raises(ZeroDivisionError), ledger.transaction():
            upsert_engine(ledger, "http://a", "a")
            raise ZeroDivisionError
        assert list_engines(ledger) == []
        assert not ledger.conn.in_transaction


def test_a_durable_write_inside_a_transaction_is_synced_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    real = os.fdatasync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", note)
    with Ledger.open(tmp_path / "l.db") as ledger:
        with ledger.transaction():
            upsert_engine(ledger, "http://a", "a")
        assert synced == []
        with ledger.transaction():
            with ledger.transaction(durable=True):
                upsert_engine(ledger, "http://b", "b")
            assert synced == []
        assert synced == [tmp_path / "l.db-wal"]
        with ledger.transaction():
            upsert_engine(ledger, "http://c", "c")
        assert len(synced) == 1


def test_a_ledger_that_was_moved_away_is_noticed(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "l.db") as ledger:
        ledger.check_in_place()
        (tmp_path / "l.db").rename(tmp_path / "m.db")
        with pytest.raises(LedgerUnusable, match="moved"):
            ledger.check_in_place()


def test_processes_that_make_the_same_ledger_at_once_all_get_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "l.db"
    code = (
        "import sys; from pathlib import Path; from store.ledger.connection import Ledger\n"
        "from store.tables.engines import upsert_engine\n"
        "sys.stdin.read()\n"
        "ledger = Ledger.open(Path(sys.argv[1]))\n"
        "upsert_engine(ledger, f'http://{sys.argv[2]}', 'e')"
    )
    for folder in (path.parent / str(number) for number in range(2)):
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(folder / "l.db"), str(number)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for number in range(4)
        ]
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.close()
        for racer in racers:
            assert racer.wait(PATIENCE_S) == 0, racer.stderr.read() if racer.stderr else ""
            assert racer.stderr is not None
            racer.stderr.close()
        with Ledger.open(folder / "l.db") as ledger:
            assert len(list_engines(ledger)) == 4
        assert _files(folder) == ["l.db"]


def test_opening_an_existing_ledger_does_not_import_sqlite_utils(tmp_path: Path) -> None:
    Ledger.open(tmp_path / "l.db").close()
    _run(
        "from store.ledger.connection import Ledger; import sys\n"
        f"Ledger.open(Path({str(tmp_path / 'l.db')!r})); assert 'sqlite_utils' not in sys.modules"
    )


def _run(code: str) -> None:
    subprocess.run(
        [sys.executable, "-c", f"from pathlib import Path\n{code}"],
        cwd=ROOT,
        check=True,
        timeout=PATIENCE_S,
    )


def test_what_is_committed_but_cannot_be_synced_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Ledger.open(tmp_path / "l.db") as ledger:
        monkeypatch.setattr(os, "fdatasync", fail)
        said = "is written, perhaps not on the disk. Input/output error"
        with pytest.raises(LedgerUnusable, match=said), ledger.transaction(durable=True):
            upsert_engine(ledger, "http://h:8000", "e")
        assert [row.name for row in list_engines(ledger)] == ["e"]


@pytest.mark.parametrize("readonly", [False, True])
def test_a_read_outside_a_transaction_raises_the_ledgers_error(
    tmp_path: Path, *, readonly: bool
) -> None:
    """At the first row or at a later one, in an open ledger that breaks."""
    path = tmp_path / "l.db"
    with Ledger.open(path) as ledger, ledger.transaction():
        for number in range(3_000):
            upsert_engine(ledger, f"http://{number}", "e" * 100)
    with Ledger.open(path, readonly=readonly) as ledger:
        list_runs(ledger, 1, 0, 1)
        rows = ledger.conn.execute("SELECT name FROM engines")
        assert next(rows) == ("e" * 100,)
        with path.open("r+b") as file:
            file.seek(60_000)
            file.write(b"\xff" * (path.stat().st_size - 60_000))
        with pytest.raises(LedgerUnusable, match="damaged"):
            for _ in rows:
                pass
        for read in (
            lambda: list_engines(ledger),
            lambda: ledger.conn.execute("SELECT count(name) FROM engines").fetchone(),
            lambda: ledger.conn.execute("SELECT name FROM engines").fetchall(),
        ):
            with pytest.raises(LedgerUnusable, match="damaged"):
                read()
        with pytest.raises(sqlite3.ProgrammingError):
            ledger.conn.execute("SELECT ?", ())
