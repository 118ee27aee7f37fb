"""Files that docstrings, comments and documents name are there: a stale path misleads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PATH = re.compile(r"`((?:app|engines|store|tests|docs)/[\w./*-]*\w)`")


def _texts() -> Iterator[Path]:
    for room in ("app", "engines", "store", "tests", "docs"):
        for ending in ("py", "md", "sql", "tcss"):
            yield from (ROOT / room).rglob(f"*.{ending}")
    yield ROOT / "README.md"


def test_every_path_that_is_named_exists() -> None:
    named = [
        (text.relative_to(ROOT), path)
        for text in _texts()
        for path in _PATH.findall(text.read_text("utf-8"))
    ]
    assert len(named) > 20
    assert [(text, path) for text, path in named if not any(ROOT.glob(path))] == []
