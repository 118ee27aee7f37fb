"""A short run of `make kills`."""

from pathlib import Path

from tests.kills.killing import kill


def test_recorders_killed_at_random_moments_lose_a_reading_each_at_most(tmp_path: Path) -> None:
    costs = kill(10, 1, tmp_path / "ledger.db")
    assert len(costs) == 10
    assert all(cost.pages_lost <= 1 for cost in costs)
