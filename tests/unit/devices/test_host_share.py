"""The host is shared by what each engine uses, and never by what only looks like one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.devices.host import host_share
from engines.devices.host.computing import are_of_cpu_build
from engines.devices.host.host_share import WHOLE, HostShares, Tenant, split_host
from engines.host.processes import engine_trees
from tests.fakes.engine_trees import child_of, fake_engine

S = 1_000_000
"""A second in microseconds."""
FOUR = frozenset(range(4))


def split(*tenants: Tenant, cores: frozenset[int] = FOUR) -> list[int]:
    return list(split_host(dict(enumerate(tenants)), cores).values())


def test_alone_an_engine_has_the_whole_host_however_little_it_uses() -> None:
    assert split(Tenant(FOUR, 0.0)) == [WHOLE]
    assert split(Tenant(FOUR, 3.0)) == [WHOLE]


def test_two_share_by_the_cpu_time_that_each_used() -> None:
    assert split(Tenant(FOUR, 3.0), Tenant(FOUR, 1.0)) == [750_000, 250_000]


def test_two_that_both_rest_share_equally() -> None:
    assert split(Tenant(FOUR, 0.0), Tenant(FOUR, 0.0)) == [500_000, 500_000]


def test_engines_bound_to_cores_have_those_whatever_they_use() -> None:
    left, right = frozenset({0, 1}), frozenset({2})
    assert split(Tenant(left, 0.1), Tenant(right, 9.0)) == [500_000, 250_000]  # core 3 is nobody's


def test_a_core_is_split_among_those_that_may_run_on_it() -> None:
    everywhere, bound = Tenant(FOUR, 4.0), Tenant(frozenset({0, 1}), 2.0)
    assert split(everywhere, bound) == [750_000, 250_000]


CORES = st.frozensets(st.integers(0, 3), min_size=1)
TENANTS = st.lists(st.builds(Tenant, CORES, st.floats(0, 1e6)), min_size=1, max_size=5)


@given(TENANTS)
def test_the_shares_are_exactly_the_cores_that_anybody_may_use(tenants: list[Tenant]) -> None:
    used = frozenset().union(*(tenant.cores for tenant in tenants))
    assert sum(split(*tenants)) == len(used) * WHOLE // 4


@contextmanager
def on_cpu(monkeypatch: pytest.MonkeyPatch, *pids: int) -> Iterator[HostShares]:
    """The host of these engines alone, on a machine where others test, too."""
    monkeypatch.setattr(host_share, "are_of_cpu_build", lambda _: True)
    monkeypatch.setattr(
        host_share, "engine_trees", lambda: [t for t in engine_trees() if t.root.pid in pids]
    )
    yield HostShares()


def used(monkeypatch: pytest.MonkeyPatch, seconds: Mapping[int, float]) -> None:
    monkeypatch.setattr(host_share, "tree_cpu_s", lambda tree: seconds[tree.root.pid])


def test_device_time_adds_up_to_the_wall_time_whenever_each_asks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two recorded engines are sampled at instants of their own while the neighbour's use moves."""
    with (
        fake_engine(tmp_path / "a", "m") as a,
        fake_engine(tmp_path / "b", "m") as b,
        on_cpu(monkeypatch, a.pid, b.pid) as shares,
    ):
        seconds = {a.pid: 0.0, b.pid: 0.0}
        used(monkeypatch, seconds)
        for tick in range(200):
            seconds[a.pid] += 1.0
            seconds[b.pid] += (tick % 7) * 0.5
            shares.of(a.pid, S + tick * S)
            shares.of(b.pid, S + tick * S + 437_211)
        end = S + 200 * S
        held = [shares.of(pid, end) for pid in (a.pid, b.pid)]
        assert sum(each.held_ppm_us for each in held if each) == 200 * S * WHOLE
        assert all(each is not None and 0 <= each.share_ppm <= WHOLE for each in held)


def test_a_neighbour_that_came_and_went_is_told_and_costs_only_its_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with fake_engine(tmp_path / "a", "m") as a:
        with fake_engine(tmp_path / "b", "m") as b, on_cpu(monkeypatch, a.pid, b.pid) as shares:
            seconds = {a.pid: 0.0, b.pid: 0.0}
            used(monkeypatch, seconds)
            shares.of(a.pid, S)
            seconds |= {a.pid: 3.0, b.pid: 1.0}
            both = shares.of(a.pid, 7 * S)
        alone = shares.of(a.pid, 13 * S)
    assert both is not None and alone is not None
    assert (both.share_ppm, both.shared) == (750_000, "shared with 1 other engine, by CPU time")
    assert (alone.share_ppm, alone.shared) == (WHOLE, "")
    assert alone.held_ppm_us == both.held_ppm_us + 6 * S * 750_000


def test_a_strangers_command_line_takes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program that only calls itself `vllm serve`, has none of vLLM loaded, and is busy."""
    with (
        fake_engine(tmp_path / "a", "m") as a,
        fake_engine(tmp_path / "b", "m") as impostor,
        on_cpu(monkeypatch, a.pid, impostor.pid) as shares,
    ):
        monkeypatch.setattr(host_share, "are_of_cpu_build", are_of_cpu_build)
        used(monkeypatch, {a.pid: 1.0, impostor.pid: 9.0})
        share = shares.of(a.pid, S)
    assert share is not None
    assert (share.share_ppm, share.shared) == (WHOLE, "")


def test_cpu_time_of_the_whole_tree_is_counted(tmp_path: Path) -> None:
    from engines.devices.host.cpu_time import tree_cpu_s

    with fake_engine(tmp_path / "a", "m") as a:
        tree = next(tree for tree in engine_trees() if tree.root.pid == a.pid)
        before = tree_cpu_s(tree)
        assert child_of(a.pid) in [each.pid for each in tree.members]
        used_s = sum(
            float(Path(f"/proc/{each.pid}/stat").read_text().rpartition(")")[2].split()[11])
            for each in (tree.root, *tree.members)
        ) / os.sysconf("SC_CLK_TCK")
        assert before >= used_s


def test_an_engine_that_is_bound_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("needs two cores")
    with fake_engine(tmp_path / "a", "m") as a, on_cpu(monkeypatch, a.pid) as shares:
        for pid in [a.pid, child_of(a.pid), child_of(child_of(a.pid))]:
            os.sched_setaffinity(pid, cores[:1])
        share = shares.of(a.pid, S)
    assert share is not None
    assert share.share_ppm == WHOLE // len(cores)
    assert share.shared == f"bound to 1 of {len(cores)} cores"


def test_one_that_has_ended_has_no_share() -> None:
    assert HostShares().of(2**22 + 77, S) is None
