"""The README's tables say what the program says."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from app.cli import COMMANDS
from app.settings.values import Settings
from app.tui.keys.key_table import key_table
from store.knobs.specs import KNOBS

ROOT = Path(__file__).parents[4]
README = (ROOT / "README.md").read_text()


def table(heading: str) -> list[tuple[str, str]]:
    """The rows of the table under a heading, without its head."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|$", section, re.MULTILINE)
    assert rows, f"no table under {heading}"
    return rows


def test_keys() -> None:
    assert table("Keys") == key_table()


def test_commands() -> None:
    assert table("Commands") == [(f"trimtab {name}", text) for name, text in COMMANDS.items()]


def test_settings_are_settings() -> None:
    section = README.split("```toml\n", 1)[1].split("```", 1)[0]
    keys = set(re.findall(r"^\[?([a-z_]+)\b", section, re.MULTILINE))
    assert keys == {field.name for field in fields(Settings)}


def test_knobs_that_are_set_exist() -> None:
    assert set(re.findall(r"trimtab set (\w+)=", README)) <= set(KNOBS)


@pytest.mark.parametrize("target", re.findall(r"`make (\w+)", README))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_files_it_points_at_exist() -> None:
    named = re.findall(r"\]\((docs/[^)]+)\)", README) + re.findall(r"`(docs/\S+?\.md)`", README)
    assert named
    for name in named:
        assert (ROOT / name).is_file(), name
