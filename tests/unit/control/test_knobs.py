"""Reading assignments, and one change on all EngineCores or none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.command_line.start_settings import START_SETTINGS
from engines.control.client import PluginClient
from engines.control.knobs import (
    check_value,
    parse_assignment,
    read_journal,
    read_knobs,
    set_knob,
)
from engines.inside.trimtab_inside.private_socket.server import Server
from store.errors import BadInput, NotAchieved
from store.knobs.specs import KNOBS
from store.records import KnobState
from tests.unit.inside.inside_standins import Scheduler32, start_server
from tests.waiting import HeldClock, wait_until

SEQS = KnobState("max_num_seqs", "live", 32, 32, 1, 32)
CACHE = KnobState("enable_prefix_caching", "live", True, True, None, None)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("max_num_seqs=8", "max_num_seqs", 8),
        ("--max-num-seqs=8", "max_num_seqs", 8),
        (" max_num_seqs = 8 ", "max_num_seqs", 8),
        ("enable_prefix_caching=off", "enable_prefix_caching", False),
        ("enable_prefix_caching=ON", "enable_prefix_caching", True),
        ("enable_prefix_caching=1", "enable_prefix_caching", True),
        ("enable-prefix-caching=false", "enable_prefix_caching", False),
        ("long_prefill_token_threshold=0", "long_prefill_token_threshold", 0),
    ],
)
def test_assignments(text: str, name: str, value: Any) -> None:
    parsed = parse_assignment(text)
    assert parsed == (name, value)
    assert type(parsed[1]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "max_num_seqs",
        "=8",
        "batch=8",
        "max_num_seqs=",
        "max_num_seqs=eight",
        "max_num_seqs=8.5",
        "max_num_seqs=1_000",
        "max_num_seqs=" + "9" * 30,
        "enable_prefix_caching=maybe",
    ],
)
def test_bad_assignments(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_assignment(text)
    assert caught.value.exit_code == 2


def test_an_unknown_knob_gets_the_list() -> None:
    with pytest.raises(BadInput) as caught:
        parse_assignment("max_seqs=8")
    assert all(name in str(caught.value) for name in KNOBS)


@pytest.mark.parametrize("name", ["kv_cache_dtype", "quantization", "max_model_len", "model"])
def test_a_start_setting_needs_a_swap(name: str) -> None:
    with pytest.raises(NotAchieved, match="needs a swap") as caught:
        parse_assignment(f"{name}=x")
    assert caught.value.exit_code == 1
    assert "trimtab serve" in caught.value.remedy


def test_a_knob_is_no_start_setting() -> None:
    assert "dtype" in START_SETTINGS
    assert not START_SETTINGS & KNOBS.keys()


def test_bounds_are_told() -> None:
    with pytest.raises(BadInput, match="1 to 32") as caught:
        check_value([SEQS], *parse_assignment("max_num_seqs=33"))
    assert "swap" in str(caught.value)
    with pytest.raises(BadInput, match="1 to 32"):
        check_value([SEQS], *parse_assignment("max_num_seqs=0"))
    assert parse_assignment("max_num_seqs=32") == ("max_num_seqs", 32)
    check_value([SEQS], "max_num_seqs", 32)


def test_a_knob_this_engine_cannot_turn_needs_a_swap() -> None:
    fixed = KnobState("enable_prefix_caching", "swap", False, False, None, None, "started without")
    with pytest.raises(NotAchieved, match="started without"):
        check_value([fixed], "enable_prefix_caching", True)
    with pytest.raises(NotAchieved):
        check_value([CACHE], "max_num_seqs", 1)


class Pair:
    """Two EngineCores, each with its server."""

    def __init__(self, home: Path) -> None:
        self.clock = HeldClock()
        self.schedulers = [Scheduler32(seqs=32), Scheduler32(seqs=32)]
        self.servers: list[Server] = [
            start_server(home / f"{rank}.sock", scheduler, f"EngineCore_DP{rank}", self.clock)
            for rank, scheduler in enumerate(self.schedulers)
        ]
        self.sockets = [server.path for server in self.servers]

    def caps(self) -> list[int]:
        return [scheduler.max_num_active_reqs for scheduler in self.schedulers]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    for server in made.servers:
        server.stop()


def test_a_change_reaches_every_engine_core(pair: Pair) -> None:
    change = set_knob(pair.sockets, "max_num_seqs", 8, who="ada", why="slow", lease_s=60)
    assert pair.caps() == [8, 8]
    assert (change.outcome, change.from_value, change.to_value) == ("applied", 32, 8)
    assert change.per_engine == {"EngineCore_DP0": "applied", "EngineCore_DP1": "applied"}
    since: dict[Path, int] = {}
    assert read_journal(pair.sockets, since) == [change]
    assert since == dict.fromkeys(pair.sockets, 1)
    assert read_journal(pair.sockets, since) == []


def test_where_one_refuses_the_other_puts_back(pair: Pair, tmp_path: Path) -> None:
    pair.servers[1].stop()
    small = Scheduler32(seqs=16)
    pair.servers[1] = start_server(tmp_path / "1.sock", small, "EngineCore_DP1")
    change = set_knob(pair.sockets, "max_num_seqs", 20, who="ada")
    assert change.outcome == "put back"
    assert change.per_engine == {"EngineCore_DP0": "put back", "EngineCore_DP1": "refused"}
    assert "20 is above 16" in change.reason
    assert (pair.schedulers[0].max_num_active_reqs, small.max_num_active_reqs) == (32, 16)
    (told,) = read_journal(pair.sockets, {})
    assert (told.id, told.outcome) == (change.id, "put back")


@pytest.mark.parametrize("gone", [0, 1])
def test_where_one_is_gone_the_other_puts_back(pair: Pair, gone: int) -> None:
    pair.servers[gone].stop()
    change = set_knob(pair.sockets, "max_num_seqs", 8, who="ada")
    assert change.outcome == "put back"
    assert pair.caps() == [32, 32]
    assert sorted(change.per_engine.values()) == ["failed", "put back"]


def test_where_all_refuse_it_is_refused(pair: Pair) -> None:
    change = set_knob(pair.sockets, "max_num_seqs", 99, who="ada")
    assert (change.outcome, change.reason) == ("refused", "99 is above 32")


def test_no_socket_and_no_engine_are_outcomes_not_errors(tmp_path: Path) -> None:
    assert set_knob([], "max_num_seqs", 8, who="ada").outcome == "failed"
    assert set_knob([tmp_path / "9.sock"], "max_num_seqs", 8, who="ada").outcome == "failed"


def test_an_asker_that_dies_half_way_leaves_none_changed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.inside.trimtab_inside.live_knobs.board.HOLD_S", 0.2)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PluginClient, "confirm", die)
    with pytest.raises(KeyboardInterrupt):
        set_knob(pair.sockets, "max_num_seqs", 8, who="ada")
    assert pair.caps() == [8, 8]
    pair.clock.go()
    wait_until(lambda: pair.caps() == [32, 32])
    (told,) = read_journal(pair.sockets, {})
    assert told.outcome == "put back"


def test_engines_that_differ_say_so_and_share_the_narrowest_bounds(tmp_path: Path) -> None:
    servers = [
        start_server(tmp_path / f"{seqs}.sock", Scheduler32(seqs=seqs), f"EngineCore_{seqs}")
        for seqs in (32, 16)
    ]
    states = {state.name: state for state in read_knobs([server.path for server in servers])}
    merged = states["max_num_seqs"]
    assert (merged.kind, merged.minimum, merged.maximum) == ("live", 1, 16)
    assert "engines differ: 32, 16" in merged.reason
    for server in servers:
        server.stop()


def test_a_lease_that_ran_out_on_both_is_one_change(pair: Pair) -> None:
    change = set_knob(pair.sockets, "max_num_seqs", 8, who="ada", lease_s=0.2)
    pair.clock.go()
    wait_until(lambda: [len(one.per_engine) for one in read_journal(pair.sockets, {})] == [2, 2])
    assert pair.caps() == [32, 32]
    first, second = read_journal(pair.sockets, {})
    assert first == change
    assert (second.cause, second.undoes, second.to_value) == ("lease", change.id, 32)
    assert len(second.per_engine) == 2
