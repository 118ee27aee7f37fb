"""Cores for a second engine, or why there are none."""

import pytest

from engines.host.cores import BIND, CHOSEN, binding, is_ours, why_not_beside


@pytest.mark.parametrize(
    ("environ", "available", "why"),
    [
        ({}, [0, 1], ""),
        ({BIND: "auto"}, [0, 1], ""),
        (binding([1]), [0, 1], ""),
        (binding([2, 3]), [0, 1, 2, 3], ""),
        (binding([0]), [0], "there are no cores but those of the running engine (0)"),
        ({BIND: "1"}, [0, 1], f"both would be bound to the same cores ({BIND}=1)"),
        ({BIND: "0-3"}, [0, 1, 2, 3], f"both would be bound to the same cores ({BIND}=0-3)"),
    ],
)
def test_two_engines_need_cores_of_their_own(
    environ: dict[str, str], available: list[int], why: str
) -> None:
    assert why_not_beside(environ, {}, available) == why
    assert why_not_beside(environ, {"OTHER": "1"}, available) == why
    assert why_not_beside(environ, {BIND: "7"}, available) == ""


def test_a_binding_is_known_as_our_own_choice() -> None:
    assert binding([2, 3]) == {BIND: "2,3", CHOSEN: "2,3"}
    assert is_ours(binding([2, 3]))
    assert not is_ours({})
    assert not is_ours({**binding([2, 3]), BIND: "nonsense"})  # a variant's own
