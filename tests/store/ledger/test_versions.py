"""Ledgers of every version: raised, they have the schema of a new one and say what they said."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from store.ledger import migrations
from store.ledger.connection import Ledger
from store.ledger.schema import CUMULATIVE_COLUMNS
from store.ledger.versions.steps import SCHEMA_VERSION
from store.reading_columns import MAXIMA, READING_COLUMNS
from store.records import Change
from store.reports.swap import SwapReport
from store.tables import devices
from store.tables.snapshots import Snapshot
from tests.store.kept_ledgers.figures import figures

ROOT = Path(__file__).parents[3]
NEXT_PROGRAM = Path(__file__).parents[1] / "next_version_program.py"
KEPT = {
    int(file.name.removeprefix("v").partition(".")[0]): file
    for file in sorted((Path(__file__).parents[1] / "kept_ledgers").glob("v*.ledger.gz"))
}
Schema = set[tuple[str, str, str, str]]


def unpack(version: int, folder: Path) -> Path:
    """A copy of the ledger that the program of this version wrote."""
    path = folder / f"v{version}.db"
    path.write_bytes(gzip.decompress(KEPT[version].read_bytes()))
    return path


def schema(ledger: Ledger) -> Schema:
    return set(ledger.conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


def version(ledger: Ledger) -> int:
    return int(ledger.conn.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture
def new_schema(tmp_path: Path) -> Schema:
    with Ledger.open(tmp_path / "new.db") as ledger:
        return schema(ledger)


def part_of(found: Any, told: Any) -> Any:
    """What `found` says of all that `told` speaks of; more columns and metrics are left out."""
    if isinstance(told, dict):
        return {name: part_of(found.get(name), value) for name, value in told.items()}
    if isinstance(told, list):
        return [part_of(one, value) for one, value in zip(found, told, strict=True)]
    return found


def test_a_ledger_of_every_earlier_version_is_kept() -> None:
    assert set(range(1, SCHEMA_VERSION)) <= set(KEPT)


@pytest.mark.parametrize("number", KEPT)
def test_a_raised_ledger_has_the_schema_of_a_new_one(
    tmp_path: Path, number: int, new_schema: Schema
) -> None:
    with Ledger.open(unpack(number, tmp_path)) as ledger:
        assert schema(ledger) == new_schema
        assert version(ledger) == SCHEMA_VERSION
        assert ledger.conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert ledger.conn.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("number", KEPT)
def test_a_raised_ledger_says_what_it_said_to_the_last_digit(tmp_path: Path, number: int) -> None:
    told = json.loads(KEPT[number].with_name(f"v{number}.json").read_text(encoding="utf-8"))
    with Ledger.open(unpack(number, tmp_path)) as ledger:
        found = figures(ledger)
    ((_, engine),) = told["engines"].items()
    assert len(engine["windows"]) == 6
    assert sum(window["runs"] for _, _, window in engine["windows"]) == 10
    assert len(told["exported"]["readings"]["ts_ms"]) > 50
    assert part_of(found, told) == told


def test_no_second_record_of_versions_is_left(new_schema: Schema) -> None:
    assert not [name for _, name, *_ in new_schema if "migration" in name]


def test_the_tables_have_the_columns_that_the_code_lists(tmp_path: Path) -> None:
    def columns(table: str) -> set[str]:
        return {
            name
            for (name,) in ledger.conn.execute(f"SELECT name FROM pragma_table_info('{table}')")
        }

    with Ledger.open(tmp_path / "new.db") as ledger:
        assert columns("reading_rows") == set(READING_COLUMNS)
        assert columns("reading_bases") == {"run_id", "minute", *CUMULATIVE_COLUMNS}
        assert columns("peaks") == {"run_id", "minute", *MAXIMA}
        assert columns("device_readings") == set(devices.COLUMNS.split(", "))
        assert columns("changes") == {"run_id", *(field.name for field in fields(Change))}
        kept_as_json = {"steps", "start"}  # in the column `evidence`
        of_a_swap = {field.name for field in fields(SwapReport)} - kept_as_json
        assert columns("swaps") == {"engine_id", *of_a_swap}
        assert columns("snapshots") == {field.name for field in fields(Snapshot)}


def test_a_step_that_fails_leaves_the_ledger_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = unpack(3, tmp_path)

    def fail(_: object) -> None:
        raise ZeroDivisionError

    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", (*migrations.STEPS[:-1], fail))
        with pytest.raises(ZeroDivisionError):
            Ledger.open(path)
    assert path.read_bytes() == before
    with Ledger.open(path) as ledger:
        assert version(ledger) == SCHEMA_VERSION


def test_a_view_that_a_person_made_is_kept(tmp_path: Path) -> None:
    path = unpack(1, tmp_path)
    query = "CREATE VIEW busy AS SELECT * FROM v_readings WHERE running_max > 0"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(query)
    with Ledger.open(path) as ledger:
        assert ("view", "busy", "busy", query) in schema(ledger)
        assert ledger.conn.execute("SELECT count(*) FROM busy").fetchone()[0] > 0


NEXT_VERSION = {
    "store/reading_columns.py": [
        ('    "http_5xx",\n', '    "http_5xx",\n    "aborted_tokens",\n'),
        (
            '    "kv_usage": Gauge(',
            '    "swapped": Gauge("swapped_ms", "swapped_max", "swapped_unknown_ms"),\n'
            '    "kv_usage": Gauge(',
        ),
    ],
    "store/ledger/versions/steps.py": [
        (
            "STEPS: tuple",
            "def _next(db: Database) -> None:\n"
            "    for table in ('reading_bases', 'reading_rows'):\n"
            "        db.table(table).add_column('aborted_tokens', int)\n"
            "        db.table(table).add_column('swapped_ms', int)\n"
            "        db.table(table).add_column('swapped_unknown_ms', int)\n"
            "    for table in ('reading_rows', 'peaks'):\n"
            "        db.table(table).add_column('swapped_max', int)\n"
            "\n\nSTEPS: tuple",
        ),
        (')\n"""What brings', '    _next,\n)\n"""What brings'),
    ],
}
"""What a person edits to add a counter and a gauge to a reading: a step and two names."""


def test_a_step_and_a_name_add_a_column_to_every_ledger(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "store", tmp_path / "store", ignore=ignored)
    for name, edits in NEXT_VERSION.items():
        file = tmp_path / name
        text = file.read_text()
        for before, after in edits:
            assert text.count(before) == 1, (name, before)
            text = text.replace(before, after)
        file.write_text(text)
    ledgers = [tmp_path / "new.db", *(unpack(number, tmp_path) for number in KEPT)]
    ran = subprocess.run(
        [sys.executable, str(NEXT_PROGRAM), *map(str, ledgers)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    new, *raised = json.loads(ran.stdout)
    assert new["version"] == SCHEMA_VERSION + 1
    assert new["windows"] == [[None, 9], [5, 4], [33, 4]]
    assert new["peak"] == 9
    assert raised == [new] * len(KEPT)
