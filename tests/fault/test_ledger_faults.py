"""The ledger when things go wrong: killed writers, full disks, folders that may not be written."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import takewhile
from pathlib import Path

import pytest

from store.errors import LedgerUnusable
from store.ledger.connection import Ledger
from store.ledger.writer import LedgerWriter
from store.tables.engines import find_engine, upsert_engine
from store.windows.window import read_window
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
_NOBODY = 65534


def _program(path: Path, *limit: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fault.ledger_program", str(path), *limit],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _lines(program: subprocess.Popen[str], count: int) -> list[str]:
    assert program.stdout is not None
    return [program.stdout.readline().strip() for _ in range(count)]


def _rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        devices = connection.execute("SELECT ts_ms FROM device_readings ORDER BY 1").fetchall()
        rows = connection.execute("SELECT ts_ms FROM readings ORDER BY 1").fetchall()
    assert devices == rows
    return [row[0] for row in rows]


def test_a_writer_killed_at_any_moment_loses_nothing_it_told_of(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    chance = random.Random(7)
    told = 1_000_000
    for _ in range(20):
        program = _program(path)
        first = int(_lines(program, 1)[0])
        assert first in {told + 1_000, told + 2_000}  # one more may be stored than was told
        time.sleep(chance.uniform(0, 0.15))
        program.kill()
        assert program.stdout is not None
        rest = program.stdout.read().split()
        program.communicate()
        told = int(rest[-1]) if rest else first
        assert _rows(path) == list(range(1_001_000, _rows(path)[-1] + 1, 1_000))
        assert 0 <= _rows(path)[-1] - told <= 1_000
        told = max(told, first)
    with Ledger.open(path, readonly=True) as ledger:
        window = read_window(ledger, 1, 0, told)
        assert window is not None
        assert window.totals["prompt_tokens"] == window.to_ms - window.from_ms
        assert window.runs == 1


def test_a_process_killed_while_it_makes_the_ledger_leaves_none_or_a_whole_one(
    tmp_path: Path,
) -> None:
    chance = random.Random(3)
    code = (
        "from pathlib import Path; import sys\nfrom store.ledger.connection import Ledger\n"
        "print(flush=True)"
    )
    for number in range(8):
        path = tmp_path / f"{number}.db"
        maker = subprocess.Popen(
            [sys.executable, "-c", f"{code}; Ledger.open(Path(sys.argv[1]))", str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert maker.stdout is not None
        maker.stdout.readline()
        time.sleep(chance.uniform(0.05, 0.4))
        maker.kill()
        maker.communicate()
        with Ledger.open(path) as ledger:
            assert find_engine(ledger, "nobody") is None
        assert _rows(path) == []
        assert not list(tmp_path.glob(f".{path.name}*"))


def test_a_full_disk_fails_the_write_and_recording_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    path = tmp_path / "l.db"
    Ledger.open(path).close()
    program = _program(path, str(path.stat().st_size + 150_000))
    lines = iter(lambda: _lines(program, 1)[0], "")
    stored = [int(line) for line in takewhile(str.isdigit, lines)]
    errors = [next(lines) for _ in range(3)]
    assert program.stdin is not None
    program.stdin.write("room\n")
    program.stdin.flush()
    for line in lines:
        if line.isdigit():
            stored.append(int(line))
            break
        errors.append(line)
    stored += [int(line) for line in _lines(program, 3)]
    program.kill()
    program.communicate()
    assert stored[:5] == list(range(1_001_000, 1_006_000, 1_000))
    assert set(errors) <= {"The disk is full", "The disk or file system refused to read or write"}
    rows = _rows(path)
    assert set(stored) <= set(rows)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_disk_that_is_full_and_gets_room_again(small_disk: Path) -> None:
    path = small_disk / "l.db"
    writer = LedgerWriter(path)
    writer.start()
    ballast = small_disk / "ballast"
    _fill(ballast)
    with pytest.raises(LedgerUnusable) as caught:
        for number in range(2_000):
            url = f"http://{number}/" + "x" * 500
            writer.submit(lambda ledger, one=url: upsert_engine(ledger, one, "e")).result()
    assert caught.value.meaning == "The disk is full"
    assert caught.value.remedy
    ballast.unlink()
    assert writer.submit(lambda ledger: upsert_engine(ledger, "http://again", "e")).result() > 0
    assert writer.close()
    assert _rows(path) == []
    with Ledger.open(path, readonly=True) as ledger:
        assert find_engine(ledger, "http://again") is not None


def test_no_room_for_a_new_ledger_leaves_nothing_behind(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    _fill(ballast)
    with pytest.raises(LedgerUnusable, match="full"):
        Ledger.open(small_disk / "l.db")
    assert [file.name for file in small_disk.iterdir()] == ["ballast"]


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that an ordinary user can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _as_ordinary_user(code: str) -> str:
    """Run code as somebody whom permissions hold for; returns what it printed."""
    script = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom store.ledger.connection import Ledger\n"
        "from store.errors import LedgerUnusable\n"
        "from store.tables.engines import list_engines, upsert_engine\n"
        f"if os.geteuid() == 0: os.setgid({_NOBODY}); os.setuid({_NOBODY})\n"
        f"try:\n    {code}\nexcept LedgerUnusable as error: print(error.meaning)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd="/",
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.stdout.strip()


def _recorded(folder: Path, mode: int) -> Path:
    path = folder / "l.db"
    with Ledger.open(path) as ledger:
        upsert_engine(ledger, "http://a", "first")
    path.chmod(mode)
    return path


def test_a_ledger_in_a_folder_that_may_not_be_written_can_be_read(shared_folder: Path) -> None:
    path = _recorded(shared_folder, 0o444)
    shared_folder.chmod(0o555)
    before = path.read_bytes()
    read = f"print(list_engines(Ledger.open(Path({str(path)!r}), readonly=True))[0].name)"
    assert _as_ordinary_user(read) == "first"
    assert path.read_bytes() == before
    shared_folder.chmod(0o755)


def test_what_may_not_be_written_says_so(shared_folder: Path) -> None:
    path = _recorded(shared_folder, 0o444)
    shared_folder.chmod(0o555)
    write = f"upsert_engine(Ledger.open(Path({str(path)!r})), 'http://b', 'b')"
    assert "may not be written" in _as_ordinary_user(write)
    make = f"Ledger.open(Path({str(shared_folder / 'new.db')!r}))"
    assert _as_ordinary_user(make) == "Permission denied"
    shared_folder.chmod(0o755)
    assert [file.name for file in shared_folder.iterdir()] == ["l.db"]


def test_a_ledger_of_somebody_else_says_so(shared_folder: Path) -> None:
    path = _recorded(shared_folder, 0o600)
    if os.geteuid() != 0:
        path.chmod(0)
    read = f"Ledger.open(Path({str(path)!r}), readonly=True)"
    assert _as_ordinary_user(read) == "Permission denied"


def test_a_database_whose_end_is_still_in_its_log_is_not_truncated(tmp_path: Path) -> None:
    path = _recorded(tmp_path, 0o600)
    left = tmp_path / "left.db"
    with Ledger.open(path) as ledger:
        with ledger.transaction():
            for number in range(3_000):
                upsert_engine(ledger, f"http://{number}", "e")
        pages = ledger.conn.execute("PRAGMA page_count").fetchone()[0]
        content = bytearray(path.read_bytes())
        Path(f"{left}-wal").write_bytes(Path(f"{path}-wal").read_bytes())
    # As a checkpoint leaves it that was killed after the first page.
    assert pages * 4096 > len(content)
    content[28:32] = struct.pack(">I", pages)
    content[92:96] = content[24:28]
    left.write_bytes(content)
    with Ledger.open(left) as ledger:
        assert find_engine(ledger, "http://2999") is not None


def test_opening_again_in_one_process_keeps_its_locks(tmp_path: Path) -> None:
    path = _recorded(tmp_path, 0o600)
    shared_bytes = 0x40000002, 510  # where SQLite's readers hold their lock
    code = (
        "import fcntl, os, sys\n"
        "descriptor = os.open(sys.argv[1], os.O_RDWR)\n"
        f"fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, {shared_bytes[1]}, "
        f"{shared_bytes[0]})"
    )
    with Ledger.open(path) as ledger:
        ledger.conn.execute("SELECT * FROM engines").fetchall()
        Ledger.open(path).close()
        Ledger.open(path, readonly=True).close()
        taken = subprocess.run(
            [sys.executable, "-c", code, str(path)], check=False, capture_output=True, text=True
        )
    assert "BlockingIOError" in taken.stderr


def test_a_damaged_page_is_told_as_such(tmp_path: Path) -> None:
    path = _recorded(tmp_path, 0o600)
    damaged = tmp_path / "damaged.db"
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    damaged.write_bytes(content)
    with pytest.raises(LedgerUnusable, match="damaged"):
        Ledger.open(damaged)
    assert damaged.read_bytes() == content
