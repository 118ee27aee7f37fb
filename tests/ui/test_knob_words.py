"""A knob has one label, one unit and one way to say its bounds: on the screen, in `trimtab knobs`,
in its JSON, in the dialog and in what a refused value is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.cli.shared import choose
from app.tui.dialogs.edit_knob import EditKnob
from app.tui.keys.main_screen import MAIN_KEYS
from app.tui.widgets import knob_list
from engines.control.knobs import check_value, read_knobs
from engines.inside.trimtab_inside.live_knobs.offered_knobs import probe
from engines.knob_handle import KnobHandle
from store.errors import BadInput
from store.knobs.bounds import bounds_text
from store.knobs.specs import KNOBS
from store.records import KnobState, RunInfo
from tests.ui.conftest import Open
from tests.ui.scripted_actions import loaded, shown, until
from tests.ui.seed import Scenario, seed
from tests.unit.app.cli.cli_runner import Cli
from tests.unit.inside.inside_standins import Scheduler08, Scheduler25, Scheduler32, start_server

SAID = {
    "enable_prefix_caching": ("prefix caching", "", "on or off"),
    "max_num_seqs": ("batch size", "requests", "1 to 32"),
    "max_num_batched_tokens": ("token budget", "tokens", "32 to 2048"),
    "long_prefill_token_threshold": ("long prefill threshold", "tokens", "0 to 2048"),
}
"""Label, unit and bounds of each knob of the stand-in engine."""


@dataclass(frozen=True)
class Engine:
    """The plugin's server over a stand-in scheduler, and what it tells."""

    sockets: tuple[Path, ...]
    states: tuple[KnobState, ...]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    server = start_server(tmp_path / "0.sock", Scheduler32(seqs=32, tokens=2048))
    yield Engine((server.path,), tuple(read_knobs([server.path])))
    server.stop()


@pytest.fixture
def cli(
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Cli:
    life = RunInfo(url="http://127.0.0.1:1", name="demo", control="live")
    handle = KnobHandle(life, engine.sockets)
    monkeypatch.setattr(choose, "engine_to_turn", lambda *_: handle)
    return Cli(tmp_path, monkeypatch, capsys)


@pytest.fixture
def ledger(engine: Engine, tmp_path: Path) -> Path:
    """What a recorder kept of that engine: all that a replay has."""
    path = tmp_path / "ledger.db"
    seed(path, Scenario(knobs=engine.states))
    return path


@pytest.mark.parametrize("scheduler", [Scheduler08, Scheduler25, Scheduler32])
def test_every_knob_the_plugin_offers_is_in_the_table(scheduler: Any) -> None:
    assert [knob.name for knob in probe(scheduler())] == list(KNOBS)
    for knob in probe(scheduler()):
        assert isinstance(knob.read(), bool) == (KNOBS[knob.name].type == "switch")


def test_every_knob_has_a_key_and_no_key_turns_anything_else() -> None:
    assert {key.knob: key.hint for key in MAIN_KEYS if key.knob} == {
        name: knob.short for name, knob in KNOBS.items()
    }
    for key in MAIN_KEYS:
        if key.knob:
            assert key.action in (f"switch('{key.knob}')", f"edit('{key.knob}')")
            assert KNOBS[key.knob].label in key.description


def test_json_says_it(cli: Cli) -> None:
    knobs = cli("knobs", "--json").json
    told = {knob["name"]: (knob["label"], knob["unit"], bounds_of(knob)) for knob in knobs}
    assert told == SAID
    assert [knob["summary"] for knob in knobs] == [knob.summary for knob in KNOBS.values()]


def bounds_of(knob: dict[str, Any]) -> str:
    """The bounds of a knob out of JSON, in words."""
    fields = ("name", "kind", "value", "start", "minimum", "maximum")
    return bounds_text(KnobState(*(knob[field] for field in fields)))


def test_the_table_of_the_command_says_it(cli: Cli) -> None:
    rows = {line.split()[0]: line for line in cli("knobs").out.splitlines() if line.strip()}
    for name, (label, unit, bounds) in SAID.items():
        assert f" {bounds} " in rows[name]
        assert (f"{label} ({unit})" if unit else label) in rows[name]


def test_the_help_of_set_says_it(cli: Cli) -> None:
    told = " ".join(cli("set", "--help").out.split())
    for name, (label, unit, _) in SAID.items():
        assert f"{name}, {label}" + (f" ({unit})" if unit else "") + ": " in told
        assert KNOBS[name].summary in told


@pytest.mark.parametrize("size", [(80, 24), (112, 24), (120, 40), (200, 50)])
async def test_the_screen_says_it(size: tuple[int, int], ledger: Path, open_app: Open) -> None:
    """The unit is left out where the list has less than 60 columns."""
    async with open_app(ledger).run_test(size=size) as pilot:
        await loaded(pilot)
        rows = [row for row in shown(pilot, "#knobs").splitlines()[1:] if row]
        wide = pilot.app.screen.query_one("#knobs").size.width >= 60
    assert len(rows) == len(SAID)
    for row, (label, unit, bounds) in zip(rows, SAID.values(), strict=True):
        assert label in row
        assert (f" {bounds} {unit} " if wide and unit else f" {bounds} ") in row


@pytest.mark.parametrize("key", [key for key in MAIN_KEYS if key.action.startswith("edit(")])
async def test_the_dialog_says_it(key: Any, ledger: Path, open_app: Open) -> None:
    label, unit, bounds = SAID[key.knob]
    async with open_app(ledger).run_test(size=(80, 24)) as pilot:
        await loaded(pilot)
        await pilot.press(key.keys)
        await until(pilot, lambda: isinstance(pilot.app.screen, EditKnob), "the editor opened")
        dialog = pilot.app.screen
        facts = "\n".join(
            canvas.render_line(row).text.rstrip()
            for canvas in dialog.query(".said, .table").results()
            for row in range(canvas.size.height)
        ).splitlines()
    assert facts[0] == f"{label}  {key.knob}"
    assert KNOBS[key.knob].summary in facts
    assert any(line.endswith(f"   {bounds} {unit}") for line in facts)


def test_a_value_out_of_bounds_is_told_it(engine: Engine) -> None:
    for name, (_, unit, bounds) in SAID.items():
        if unit:
            with pytest.raises(BadInput, match=f"it takes {bounds} {unit}$") as caught:
                check_value(engine.states, name, -1)
            assert caught.value.remedy == ""


def test_a_cell_never_touches_the_next_one() -> None:
    assert knob_list._apart("threshold", 12) == "threshold   "
    assert knob_list._apart("threshold", 9) == "thresho… "
    leased = KnobState("max_num_seqs", "live", 8, 32, 1, 32, lease_left_s=179.6)
    rows, sizes = knob_list._laid_out([leased], 40)
    assert rows[0][-1] == "3m left"
    assert sum(sizes) <= 40
