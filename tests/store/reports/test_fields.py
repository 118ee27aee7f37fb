"""Numbers out of JSON that another program wrote."""

import math

from store.reports.fields import a_count, a_number


def test_a_number_is_finite_and_can_be_stored() -> None:
    assert a_number(1) == 1
    assert a_number(-0.5) == -0.5
    assert a_number(2**63) == float(2**63)
    assert isinstance(a_number(2**63), float)
    for value in (True, "1", None, math.nan, -math.inf, 10**400):
        assert a_number(value) is None


def test_a_count_is_a_whole_number_that_json_keeps() -> None:
    assert a_count(2**53) == 2**53
    for value in (2**53 + 1, 1.0, True, 10**400):
        assert a_count(value) is None
