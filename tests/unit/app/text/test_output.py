"""What commands print."""

import json
from io import BytesIO, TextIOWrapper

import pytest

from app.text.output import print_json


def test_the_name_of_a_file_that_is_no_utf8_can_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    written = BytesIO()
    monkeypatch.setattr("sys.stdout", TextIOWrapper(written, "utf-8"))
    print_json({"model": "/m/\udcff", "note": "é"})
    told = json.loads(written.getvalue())
    assert told["model"].startswith("/m/\N{REPLACEMENT CHARACTER}")
    assert told["note"] == "é"
