"""Commands that read the ledger, over one that was written through the store."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from prometheus_client.parser import text_string_to_metric_families

from app.acts.audit import who
from app.text.comparison import configuration_changes
from store.ledger.connection import Ledger
from store.metrics.measure import SPECS
from store.records import Event
from store.tables import events
from tests.ui.seed import BUSY, Scenario, seed
from tests.unit.app.cli.cli_runner import Cli

NOW_MS = 1_795_000_000_000
STEADY = Scenario(change_at=None, load=BUSY, seconds=200)
CHANGED_AGO_S = 60
CHANGED = Scenario(seconds=200, change_at=200 - CHANGED_AGO_S)


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    """One clock for what is recorded and for who asks, however long that takes."""
    with time_machine.travel(NOW_MS / 1000, tick=False):
        yield


def seeded(cli: Cli, *scenarios: Scenario, ago_s: float = 0) -> Cli:
    cli.data.mkdir(parents=True)
    seed(cli.db, *scenarios, now_ms=NOW_MS - round(ago_s * 1000))
    return cli


def test_show_has_every_metric_of_the_contract(cli: Cli) -> None:
    ran = seeded(cli, STEADY)("show", "--json")
    found = ran.json
    assert ran.code == 0, ran.err
    beside = {"from", "to", "engine", "runs", "bounds", "reasons", "doubts"}
    assert {*beside, "devices", "device_imbalance", *SPECS} == set(found)
    assert [device["share"] for device in found["devices"]] == [pytest.approx(1.0)]
    assert (found["engine"], found["runs"]) == ("demo", 1)
    assert found["from"] < found["to"]
    assert found["cache_hit_rate"] == pytest.approx(BUSY.cached, abs=0.01)
    assert found["request_rate"] == pytest.approx(BUSY.requests, rel=0.1)
    assert found["e2e_p50"] is None
    assert found["bounds"]["e2e_p50"] == {"lt": 0.3}
    unknown = {name for name in SPECS if found[name] is None} - found["bounds"].keys()
    assert found["reasons"].keys() == unknown
    assert found["cost_per_request_usd"] > 0


def test_show_for_people_names_the_price(cli: Cli) -> None:
    ran = seeded(cli, STEADY)("show", "--last", "30s")
    assert "cost/request" in ran.out
    assert "<0.3 s" in ran.out
    assert "built-in" in ran.err


def test_nothing_recorded_lately_says_when_and_what_to_do(cli: Cli) -> None:
    ran = seeded(cli, STEADY, ago_s=3600)("show", "--last", "60s")
    assert ran.code == 1
    assert "The last reading is of" in ran.err
    assert "--for" in ran.err


def test_several_engines_need_a_choice(cli: Cli) -> None:
    other = Scenario(name="other", url="http://127.0.0.1:8009", change_at=None)
    seeded(cli, STEADY, other)
    ran = cli("show")
    assert ran.code == 2
    assert "demo" in ran.err
    assert "other" in ran.err
    assert cli("show", "--engine", "other", "--json").json["engine"] == "other"
    assert cli("show", "http://127.0.0.1:8009/", "--json").json["engine"] == "other"
    assert cli("show", "--engine", "nobody").code == 2


def test_a_snapshot_never_reaches_back_over_the_last_change(cli: Cli) -> None:
    ran = seeded(cli, CHANGED)("snapshot", "after", "--last", "3m", "--note", "n", "--json")
    made = ran.json
    assert ran.code == 0, ran.err
    assert "enable_prefix_caching: on -> off" in ran.err
    length_s = _seconds(made["to"]) - _seconds(made["from"])
    assert CHANGED_AGO_S - 6 < length_s < CHANGED_AGO_S - 1
    assert made["configuration"]["knobs"]["enable_prefix_caching"] is False
    assert made["configuration"]["knobs"]["max_num_seqs"] == 24


def test_a_snapshot_s_name_is_taken_once(cli: Cli) -> None:
    seeded(cli, STEADY)
    assert cli("snapshot", "a", "--last", "60s").code == 0
    again = cli("snapshot", "a", "--last", "30s")
    assert again.code == 2
    assert "--replace" in again.err
    assert cli("snapshot", "a", "--last", "30s", "--replace", "--note", "second").code == 0
    (kept,) = cli("snapshots", "--json").json
    assert (kept["name"], kept["engine"], kept["note"]) == ("a", "demo", "second")
    assert "second" in cli("snapshots").out
    told = cli("export", "--what", "events", "--format", "jsonl").out.splitlines()
    assert sum('"snapshot"' in one and '"a: ' in one for one in told) == 2


def test_no_snapshot_of_nothing(cli: Cli) -> None:
    ran = seeded(cli, STEADY, ago_s=3600)("snapshot", "a", "--last", "60s")
    assert ran.code == 1
    assert "--for" in ran.err
    assert cli("snapshots", "--json").json == []


def test_compare_says_what_a_change_did(cli: Cli) -> None:
    seeded(cli, CHANGED)
    _two_snapshots(cli)
    found = cli("compare", "before", "after", "--json").json
    assert set(found) >= {
        "metrics",
        "workload",
        "verdict",
        "reasons",
        "configuration",
        "conclusion",
    }
    cost = found["metrics"]["cost_per_request_usd"]
    assert set(cost) >= {"a", "b", "difference", "ratio", "interval", "blocks", "verdict"}
    assert cost["interval"][0] > 0
    assert found["verdict"] == "worse"
    assert min(cost["blocks"]) >= 5


def test_compare_for_people_always_prints_the_workload(cli: Cli) -> None:
    seeded(cli, CHANGED)
    _two_snapshots(cli)
    ran = cli("compare", "before", "after")
    assert "workload: prompt tokens/request" in ran.out
    assert "verdict: " in ran.out
    assert re.search(r"^ before +demo +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d .+$", ran.out, re.MULTILINE)
    assert "set otherwise: " in ran.out
    assert "95 % interval" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_what_was_set_otherwise_is_told() -> None:
    a = {"model": "m", "vllm_version": "0.12.0", "knobs": {"max_num_seqs": 8, "x": True}}
    b = {"model": "m", "vllm_version": None, "knobs": {"max_num_seqs": 16, "x": True}}
    assert configuration_changes(a, b) == ["max_num_seqs 8 to 16", "vLLM 0.12.0 to –"]
    assert configuration_changes(a, a) == []
    assert configuration_changes({"arguments": ["a"]}, {"arguments": ["b"]}) == [
        "launch arguments (trimtab snapshots --json)"
    ]


def test_without_a_second_name_it_is_compared_with_what_came_after_the_change(cli: Cli) -> None:
    seeded(cli, CHANGED)
    _two_snapshots(cli)
    found = cli("compare", "before", "--json").json
    assert found["verdict"] == "worse"
    assert found["windows"]["b"]["label"] == "now"
    assert found["configuration"]["a"]["knobs"] != {}


def test_a_script_may_fail_on_a_verdict(cli: Cli) -> None:
    seeded(cli, CHANGED)
    _two_snapshots(cli)
    ran = cli("compare", "before", "after", "--fail-on", "worse", "--json")
    assert ran.code == 1
    assert ran.json["verdict"] == "worse"
    assert "The verdict is: worse" in ran.err
    assert cli("compare", "before", "after", "--fail-on", "better").code == 0


def test_watching_ends_with_the_first_verdict(cli: Cli) -> None:
    seeded(cli, CHANGED)
    _two_snapshots(cli)
    found = cli("compare", "before", "--until-decided", "--for", "5s", "--json").json
    assert found["verdict"] == "worse"
    assert found["at_every_look"]


def test_watching_needs_a_recorder_and_a_window_that_grows(cli: Cli) -> None:
    seeded(cli, CHANGED, ago_s=60)
    cli("snapshot", "before", "--last", "120s")
    unrecorded = cli("compare", "before", "--until-decided")
    assert unrecorded.code == 1
    assert "Nobody records" in unrecorded.err
    assert cli("compare", "before", "after", "--until-decided").code == 2


def test_compare_lists_the_snapshots_there_are(cli: Cli) -> None:
    seeded(cli, STEADY)
    cli("snapshot", "baseline", "--last", "60s")
    ran = cli("compare", "baseline", "aftr")
    assert ran.code == 2
    assert "aftr" in ran.err
    assert "baseline" in ran.err


@pytest.mark.parametrize("what", ["readings", "devices", "changes", "knobs", "events", "runs"])
def test_the_three_text_exports_hold_the_same_rows(cli: Cli, what: str) -> None:
    seeded(cli, CHANGED)
    table = list(csv.DictReader(io.StringIO(cli("export", "--what", what).out)))
    lines = cli("export", "--what", what, "--format", "jsonl").out.splitlines()
    whole = cli("export", "--what", what, "--json").json
    assert len(table) == len(lines) == len(whole) > 0
    assert [json.loads(line) for line in lines] == whole
    assert list(table[0]) == list(whole[0])


def test_export_of_the_last_while(cli: Cli) -> None:
    seeded(cli, STEADY)
    rows = cli("export", "--last", "20s", "--json").json
    assert 18 <= len(rows) <= 20


def test_an_empty_export_is_an_empty_list(cli: Cli) -> None:
    assert seeded(cli, STEADY)("export", "--what", "snapshots", "--json").json == []


def test_prometheus_text_is_what_prometheus_reads(cli: Cli) -> None:
    ran = seeded(cli, STEADY)("export", "--format", "prometheus")
    families = {family.name: family for family in text_string_to_metric_families(ran.out)}
    (sample,) = families["trimtab_request_rate"].samples
    assert sample.labels == {"engine": "demo", "url": STEADY.url}
    assert sample.value == pytest.approx(BUSY.requests, rel=0.1)
    assert "trimtab_e2e_p50" not in families, "a bound is no number"


def test_prices_of_the_settings_are_applied_to_the_past(cli: Cli, tmp_path: Path) -> None:
    seeded(cli, STEADY)
    before = cli("show", "--json").json["cost_usd"]
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.toml").write_text('[prices]\n"H100" = 12.32\n')
    assert cli("show", "--json").json["cost_usd"] == pytest.approx(2 * before, rel=0.05)
    assert "settings.toml" in cli("show").err


def test_text_from_outside_cannot_reach_the_terminal_raw(cli: Cli) -> None:
    evil = Scenario(name="\x1b[31mred\x07", change_at=None, seconds=100)
    seeded(cli, evil)
    for words in (["show"], ["export"], ["export", "--format", "prometheus"]):
        ran = cli(*words)
        assert ran.code == 0
        assert "\x1b[31m" not in ran.out + ran.err
        assert "\x07" not in ran.out + ran.err


def _two_snapshots(cli: Cli) -> None:
    from app.acts import take_snapshot
    from store.ledger.connection import Ledger

    changed_ms = NOW_MS - CHANGED_AGO_S * 1000
    with Ledger.open(cli.db) as ledger:
        take_snapshot(ledger, 1, "before", changed_ms - 100_000, changed_ms - 1_000)
        take_snapshot(ledger, 1, "after", changed_ms + 4_000, NOW_MS)


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


EVIL = "=HYPERLINK(1)\u202e\x1b[2Jcaf\udce9"
"""A formula, a change of direction, a terminal's command, and a byte that is no text."""


def test_what_a_person_writes_is_cleaned_at_the_door(cli: Cli) -> None:
    ran = seeded(cli, STEADY)("snapshot", "a", "--last", "60s", "--note", EVIL, "--json")
    assert ran.code == 0, ran.err
    (row,) = cli("export", "--what", "snapshots", "--json").json
    assert row["note"] == "=HYPERLINK(1)\ufffd\ufffd[2Jcaf\ufffd"


def test_no_export_repeats_what_deceives(cli: Cli) -> None:
    """Ledgers hold texts of times when nobody cleaned them; a spreadsheet runs no cell of ours."""
    dirty = "=1+1\u202e\x1b[2J"
    with Ledger.open(seeded(cli, STEADY).db) as ledger, ledger.transaction():
        events.add(ledger, 1, Event(NOW_MS, "change", dirty))
    for form in ("csv", "jsonl"):
        out = cli("export", "--what", "events", "--format", form).out
        assert "=1+1\ufffd\ufffd[2J" in out
        assert ("'=1+1" in out) == (form == "csv")
    assert dirty not in cli("export", "--what", "events", "--json").json[-1].values()


def test_whoever_became_root_is_told_by_their_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "ada\u202e")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 22 192.0.2.2 22")
    assert who() == "ada\ufffd as root from 192.0.2.1"
    monkeypatch.setenv("SUDO_USER", "root")
    assert who() == "root from 192.0.2.1"
