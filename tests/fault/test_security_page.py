"""What docs/security.md promises, as far as a file system and a program can be asked."""

import os
import re
import stat
from pathlib import Path

import pytest

from engines.cleaning.redact import LONGEST_TEXT
from engines.inside.trimtab_inside.private_socket.protocol import LONGEST_LINE
from engines.inside.trimtab_inside.private_socket.sockets import directories
from engines.serving import registry
from engines.serving.name_lock import name_lock
from store.ledger.connection import Ledger
from store.private_files import open_log

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_modes_are_those_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "deep" / "data"
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(data))
    before = os.umask(0)
    try:
        Ledger.open(data / "ledger.db").close()
        registry.save(registry.Serving("e", 1, 1, "http://127.0.0.1:1", "m", "log"))
        with name_lock("e"):
            pass
        open_log(data / "logs" / "e.log").close()
    finally:
        os.umask(before)
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"data", "serving", "locks", "logs"}
    assert {mode(path) for path in files} == {0o600}
    assert {mode(path) for path in (data.parent, data, *data.iterdir()) if path.is_dir()} == {0o700}


def test_the_places_and_limits_are_those_of_the_page() -> None:
    for user in (0, 1000):
        for path in directories(user):
            shown = str(path).replace("1000", "UID").replace("trimtab-0", "trimtab-UID")
            assert f"`{shown}`" in PAGE
    assert f"{LONGEST_TEXT:,} characters" in PAGE
    assert f"{LONGEST_LINE // 1024} KiB" in PAGE


def test_the_page_is_named_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert re.search(r"\(docs/security\.md\)|docs/security\.md", readme)
