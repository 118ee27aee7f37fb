"""Values that one engine was set to, on the one that follows it in a swap."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.supervisor.swap import live_values
from store.records import Change, KnobState, KnobValue

START, LEASED, BELOW = 32, 8, 16


def knob(value: int, lease_left_s: float | None = None, back_to: int | None = None) -> KnobState:
    return KnobState(
        "max_num_seqs",
        "live",
        value,
        START,
        1,
        START,
        lease_left_s=lease_left_s,
        lease_back_to=back_to,
    )


@pytest.mark.parametrize(
    ("state", "sets"),
    [
        (knob(START), []),
        (knob(LEASED), [(LEASED, None)]),
        (knob(LEASED, 40.0, START), [(LEASED, 40.0)]),
        (knob(LEASED, 40.0, BELOW), [(BELOW, None), (LEASED, 40.0)]),
    ],
)
def test_a_lease_stays_a_lease(
    monkeypatch: pytest.MonkeyPatch,
    state: KnobState,
    sets: list[tuple[KnobValue, float | None]],
) -> None:
    seen: list[tuple[KnobValue, float | None]] = []

    def set_knob(
        _: object, name: str, value: KnobValue, *, who: str, lease_s: float | None
    ) -> Change:
        seen.append((value, lease_s))
        return Change("c", 1, name, None, value, "applied", "set", who)

    monkeypatch.setattr(live_values, "set_knob", set_knob)
    live_values.carry_over([state], [Path("x")], "me", print)
    assert seen == sets
