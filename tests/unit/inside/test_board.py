"""Changes, held changes, leases and the journal, on a clock of our own."""

import threading
from typing import Any

import pytest

from engines.inside.trimtab_inside.live_knobs.board import HOLD_S, Board, Request
from engines.inside.trimtab_inside.live_knobs.journal import KEPT, Journal
from engines.inside.trimtab_inside.live_knobs.offered_knobs import probe
from tests.unit.inside.inside_standins import Scheduler32
from tests.waiting import PATIENCE_S


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A board over a stand-in scheduler."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lock = threading.RLock()
        self.scheduler = Scheduler32(seqs=32, tokens=2048)
        self.board = Board(probe(self.scheduler), self.lock, clock=self.clock, wall=lambda: 1.7e9)
        self.count = 0

    def set(self, value: object, knob: str = "max_num_seqs", **more: Any) -> dict[str, Any]:
        self.count += 1
        fields = {"id": f"change-{self.count}", "who": "me", **more}
        return self.board.set(Request(knob=knob, value=value, **fields), received=self.clock.now)

    def value(self, knob: str = "max_num_seqs") -> Any:
        return next(k["value"] for k in self.board.describe() if k["name"] == knob)

    def later(self, seconds: float) -> float | None:
        self.clock.now += seconds
        return self.board.tick()

    def outcomes(self) -> list[tuple[str, Any, str]]:
        return [(e["cause"], e["to"], e["outcome"]) for e in self.board.journal.since(0)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_change_is_applied_and_journalled(bench: Bench) -> None:
    received = bench.clock.now
    bench.clock.now += 0.002
    entry = bench.board.set(Request("x", "max_num_seqs", 4, "ada", "test"), received)
    assert bench.scheduler.max_num_active_reqs == 4
    assert entry["took_ms"] == pytest.approx(2.0)
    assert (entry["from"], entry["to"], entry["outcome"], entry["who"]) == (32, 4, "applied", "ada")
    assert entry["ts_ms"] == 1_700_000_000_000
    assert bench.board.journal.since(0) == [entry]


def test_the_same_id_twice_is_one_change(bench: Bench) -> None:
    first = bench.set(4, id="same")
    bench.set(8)
    assert bench.set(4, id="same") == first
    assert bench.value() == 8


def test_out_of_bounds_is_refused_and_told(bench: Bench) -> None:
    entry = bench.set(33)
    assert (entry["outcome"], entry["reason"]) == ("refused", "33 is above 32")
    assert bench.value() == 32


def test_a_value_waits_for_the_step_and_gives_up_in_time(bench: Bench) -> None:
    step = threading.Event()
    stepping = threading.Event()

    def long_step() -> None:
        with bench.lock:
            stepping.set()
            step.wait(PATIENCE_S)

    thread = threading.Thread(target=long_step)
    thread.start()
    stepping.wait(PATIENCE_S)
    entry = bench.set(4)
    assert entry["outcome"] == "failed"
    assert "step did not end" in entry["reason"]
    step.set()
    thread.join()
    assert bench.value() == 32
    assert bench.set(4)["outcome"] == "applied"


def test_a_write_that_breaks_leaves_the_value_before(bench: Bench) -> None:
    class Stubborn(Scheduler32):
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "max_num_active_reqs" and value == 13:
                raise RuntimeError("no thirteen")
            super().__setattr__(name, value)

    bench.board = Board(probe(Stubborn(seqs=32)), bench.lock, clock=bench.clock)
    entry = bench.set(13)
    assert (entry["outcome"], entry["reason"]) == ("failed", "RuntimeError: no thirteen")
    assert bench.value() == 32


def test_a_held_change_is_not_told_until_confirmed(bench: Bench) -> None:
    bench.set(4, id="held", hold=True)
    assert bench.value() == 4
    assert bench.board.journal.since(0) == []
    assert bench.board.confirm("held")["outcome"] == "applied"
    bench.later(HOLD_S * 2)
    assert bench.value() == 4
    assert bench.outcomes() == [("set", 4, "applied")]


def test_a_held_change_that_nobody_confirms_is_put_back(bench: Bench) -> None:
    bench.set(4, id="held", hold=True)
    assert bench.later(HOLD_S - 0.1) == pytest.approx(0.1)
    assert bench.value() == 4
    bench.later(0.2)
    assert bench.value() == 32
    assert bench.outcomes() == [("set", 4, "put back")]
    with pytest.raises(KeyError):
        bench.board.confirm("held")


def test_while_one_change_is_held_another_is_refused(bench: Bench) -> None:
    bench.set(4, id="held", hold=True)
    assert bench.set(8)["outcome"] == "refused"
    bench.board.confirm("held")
    assert bench.set(8)["outcome"] == "applied"


def test_put_back_restores_value_and_lease(bench: Bench) -> None:
    bench.set(16, lease_s=100)
    bench.set(4, id="wrong", hold=True)
    bench.board.put_back("wrong", "the other engine refused")
    assert bench.value() == 16
    bench.later(101)
    assert bench.value() == 32


def test_put_back_refuses_once_the_knob_has_moved_on(bench: Bench) -> None:
    bench.set(4, id="old")
    bench.set(8)
    with pytest.raises(KeyError):
        bench.board.put_back("old", "")
    assert bench.value() == 8


def test_a_lease_runs_out(bench: Bench) -> None:
    bench.set(4, lease_s=60, id="leased")
    assert bench.later(59) == pytest.approx(1.0)
    assert bench.value() == 4
    bench.later(1.5)
    assert bench.value() == 32
    last = bench.board.journal.since(0)[-1]
    assert (last["cause"], last["from"], last["to"], last["undoes"]) == ("lease", 4, 32, "leased")
    assert last["took_ms"] == pytest.approx(500)
    assert bench.board.tick() is None


def test_a_lease_does_not_touch_a_value_set_since(bench: Bench) -> None:
    bench.set(4, lease_s=60)
    bench.set(8)
    bench.later(120)
    assert bench.value() == 8
    assert bench.outcomes() == [("set", 4, "applied"), ("set", 8, "applied")]


def test_leases_in_a_row_end_where_the_first_began(bench: Bench) -> None:
    for value in (8, 32, 8, 16):
        bench.set(value, lease_s=30)
        bench.later(20)
    bench.later(30)
    assert bench.value() == 32
    assert bench.outcomes()[-1] == ("lease", 32, "applied")


def test_a_lease_waits_for_a_step_that_does_not_end(bench: Bench) -> None:
    bench.set(4, lease_s=1)
    taken, free = threading.Event(), threading.Event()

    def hold() -> None:
        with bench.lock:
            taken.set()
            free.wait(PATIENCE_S)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(PATIENCE_S)
    assert (bench.later(2) or 0) > 0
    free.set()
    thread.join()
    assert bench.value() == 4
    bench.later(0.3)
    assert bench.value() == 32


def test_lease_ends_have_one_id_on_every_engine() -> None:
    ids = set()
    for _ in range(2):
        bench = Bench()
        bench.set(4, id="one change", lease_s=1)
        bench.later(2)
        ids.add(bench.board.journal.since(0)[-1]["id"])
    assert len(ids) == 1


def test_release_puts_every_start_value_back(bench: Bench) -> None:
    bench.set(4)
    bench.set(False, knob="enable_prefix_caching")
    bench.board.release()
    assert bench.value() == 32
    assert bench.value("enable_prefix_caching") is True


def test_the_journal_keeps_the_last_and_counts_all() -> None:
    journal = Journal()
    for number in range(KEPT + 10):
        journal.add({"id": str(number)})
    assert journal.seq == KEPT + 10
    assert len(journal.since(0)) == KEPT
    assert [e["id"] for e in journal.since(KEPT + 8)] == [str(KEPT + 8), str(KEPT + 9)]
    assert len(journal.since(10**6)) == KEPT, "a number from before a restart brings all"
