"""Somebody cuts the file that the users of a ledger have mapped: a SIGBUS, if it is not mended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, time
from pathlib import Path
from store.ledger.connection import Ledger
from store.ledger.writer import LedgerWriter
from store.tables.engines import list_engines, upsert_engine
path, left, pages = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
shm = f"{path}-shm"
writer = LedgerWriter(path)
writer.start()
reader = Ledger.open(path, readonly=True)
def do(write):
    return writer.submit(write).result()
def add(number):
    do(lambda ledger: upsert_engine(ledger, f"http://{number}", "e" * 3000))
do(lambda ledger: ledger.conn.execute("PRAGMA wal_autocheckpoint = 0").fetchall())
def cut():
    os.truncate(shm, left)
    time.sleep(0.01)
for number in range(pages):
    add(number)
assert len(list_engines(reader)) == pages
for turn in range(3):
    cut()
    if turn == 1:
        assert len(list_engines(reader)) == pages + turn
    add(pages + turn)
    cut()
    assert len(list_engines(reader)) == pages + turn + 1
writer.close()
print(len(writer.take_notices()) > 0)
reader.close()
with Ledger.open(path) as ledger:
    assert len(list_engines(ledger)) == pages + 3
    assert ledger.conn.execute("PRAGMA quick_check").fetchall() == [("ok",)]
"""


@pytest.mark.parametrize(("left", "pages"), [(0, 2), (100, 2), (4096, 2), (0, 3000)])
def test_readers_and_the_writer_go_on(tmp_path: Path, left: int, pages: int) -> None:
    words = [sys.executable, "-X", "faulthandler", "-c", PROGRAM, tmp_path / "l.db", str(left)]
    outcome = subprocess.run(
        [*words, str(pages)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome.returncode, outcome.stdout) == (0, "True\n"), outcome.stderr[-1500:]
