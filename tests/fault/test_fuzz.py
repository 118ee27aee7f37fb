"""A short run of `make fuzz`: each protocol of the private sockets under some hundred cases."""

import pytest

from tests.fuzz.campaign import PROTOCOLS, fuzz
from tests.waiting import PATIENCE_S

CASES = 300


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocol_under_fire(protocol: str) -> None:
    tally = fuzz(protocol, 1, deadline_s=PATIENCE_S, cases=CASES)
    assert tally.requests + tally.answers == CASES
