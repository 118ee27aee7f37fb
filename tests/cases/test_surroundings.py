"""Locales, users and directories of the field: the true cause, and a way on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import NoReturn

import platformdirs
import pytest

from app.settings.load import load_settings
from app.settings.values import Settings
from app.text.encoding import is_utf8, take_what_can_be_written
from engines.provision import places
from engines.serving import registry
from store.given_paths import given_path
from tests.unit.app.cli.cli_runner import Cli


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", "- -3 x2 60 ?C -> ..."),
        ("latin-1", "- -3 ×2 60 °C -> ..."),
        ("utf-8", "– −3 ×2 60 °C → …"),
    ],
)
def test_plain_letters_stand_in_where_others_cannot_be_written(encoding: str, written: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    take_what_can_be_written(stream)
    stream.write("– −3 ×2 60 °C → …")
    stream.flush()
    assert raw.getvalue().decode(encoding) == written
    assert is_utf8(stream) == (encoding == "utf-8")


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME whom the system does not know."""

    def nowhere(*_: object) -> NoReturn:
        raise RuntimeError("could not determine the home directory")

    for name in ("user_data_path", "user_config_path"):
        monkeypatch.setattr(platformdirs, name, nowhere)
    for name in ("TRIMTAB_DATA_DIR", "TRIMTAB_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("homeless")
def test_no_home_is_no_settings_no_engines_of_ours_and_no_fault() -> None:
    assert load_settings() == Settings()
    assert registry.list_serving() == []
    with pytest.raises(places.NoHome, match="TRIMTAB_DATA_DIR"):
        places.data_dir()


def test_without_a_home_a_ledger_that_is_named_is_enough(
    cli: Cli, tmp_path: Path, homeless: None
) -> None:
    nothing = cli("show", "--db", str(tmp_path / "l.db"))
    assert nothing.code == 1
    assert "Nothing has been recorded" in nothing.err
    told = json.loads(cli("show", "--json").out)["error"]
    assert told["kind"] == "NoHome"
    assert "fault" not in json.dumps(told)


def test_a_relative_data_directory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be another one in each directory that trimtab is started in."""
    monkeypatch.setenv("TRIMTAB_DATA_DIR", "data")
    with pytest.raises(places.BadInput, match="no absolute path"):
        places.data_dir()


LONG = "x" * 5_000


@pytest.mark.parametrize("command", ["show", "snapshots", "export"])
@pytest.mark.parametrize("db", [LONG, f"/tmp/{LONG}", "/dev/null/l.db", "~no-such-user/l.db"])
def test_no_path_of_a_ledger_is_a_fault_of_ours(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, db: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cli(command, "--db", db, "--json")
    assert ran.code in (1, 2)
    assert "fault" not in ran.out + ran.err


@pytest.mark.parametrize("directory", ["~no-such-user", LONG, f"/tmp/{LONG}"])
def test_no_data_directory_is_a_fault_of_ours(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    monkeypatch.setenv("TRIMTAB_DATA_DIR", directory)
    ran = cli("stop", "nobody", "--json")
    assert ran.code in (1, 2)
    assert "fault" not in ran.out + ran.err


@pytest.mark.parametrize("path", ["~no-such-user/texts", "a\0b"])
def test_a_path_that_cannot_be_one_is_bad_input(path: str) -> None:
    with pytest.raises(places.BadInput):
        given_path(path)
