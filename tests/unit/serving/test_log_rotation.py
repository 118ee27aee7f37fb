"""The log of an engine that runs for months stays small, and its start stays in it."""

from __future__ import annotations

import errno
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from engines.serving import log_rotation
from engines.serving.log_phases import has_served
from engines.serving.log_rotation import LogRotation, rotate
from store.private_files import open_log
from tests.fakes.launched_engine import LINES
from tests.waiting import wait_until

SERVING = "INFO:     Application startup complete."
WRITER = """
import sys
for number in range(100_000):
    sys.stdout.write(f"line {number:06}\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "chat.log"
    with open_log(path) as file:
        file.write("\n".join([*LINES, SERVING, ""]).encode())
        file.write(b"".join(b"request %08d\n" % number for number in range(1000)))
    return path


def test_the_start_stays_and_all_of_it_is_kept_beside(log: Path) -> None:
    whole = log.read_bytes()
    assert rotate(log, most=4096, head=1024)
    assert whole.startswith(log.read_bytes())
    assert 0 < log.stat().st_size <= 1024
    assert log.read_bytes().endswith(b"\n")
    assert has_served(log)
    before = log.with_name("chat.log.1")
    assert before.read_bytes() == whole
    assert stat.S_IMODE(before.stat().st_mode) == 0o600
    assert sorted(path.name for path in log.parent.iterdir()) == ["chat.log", "chat.log.1"]


def test_where_there_is_no_room_to_keep_all_of_it_no_part_of_it_takes_room(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object, copy: IO[bytes], __: int) -> None:
        copy.write(b"a part")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(log_rotation.shutil, "copyfileobj", full)
    assert rotate(log, most=4096, head=1024)
    assert 0 < log.stat().st_size <= 1024
    assert [path.name for path in log.parent.iterdir()] == ["chat.log"]


def test_a_small_log_is_left_alone(log: Path) -> None:
    whole = log.read_bytes()
    assert not rotate(log, most=1 << 20)
    assert log.read_bytes() == whole


def test_a_line_without_an_end_is_not_kept(tmp_path: Path) -> None:
    log = tmp_path / "chat.log"
    log.write_bytes(b"x" * 5000)
    assert rotate(log, most=4096, head=1024)
    assert log.read_bytes() == b""


def test_a_link_is_not_followed(log: Path) -> None:
    link = log.with_name("link.log")
    link.symlink_to(log)
    with pytest.raises(OSError, match="symbolic links"):
        rotate(link, most=10)


def test_an_engine_writes_on_while_its_log_is_cut(tmp_path: Path) -> None:
    """What comes after a cut follows what was kept: there is no hole, and no half line."""
    log = tmp_path / "chat.log"
    with open_log(log) as file:
        writer = subprocess.Popen([sys.executable, "-c", WRITER], stdout=file)
    cuts = 0
    while writer.poll() is None:
        cuts += rotate(log, most=100_000, head=1000)
    assert writer.returncode == 0
    assert cuts
    lines = log.read_text().splitlines()
    copied_lines = log.with_name("chat.log.1").read_text().splitlines()
    assert lines[0] == "line 000000"
    assert max(lines[-1], copied_lines[-1]) > "line 099000"
    assert [line for line in lines if len(line) != len("line 000000")] == []


def test_a_thread_does_it_and_a_log_that_is_gone_does_not_end_it(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_rotation.rotate, "__kwdefaults__", {"most": 4096, "head": 1024})
    rotation = LogRotation(check_s=0.01)
    rotation.watch(log.with_name("gone.log"))
    rotation.watch(log)
    wait_until(lambda: log.stat().st_size <= 1024)
    assert log.with_name("chat.log.1").exists()
