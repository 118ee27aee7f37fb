"""The same on a real card, where one is asked for: `pytest -m gpu`."""

from __future__ import annotations

import time

import pytest

from engines.devices import gpus

pytestmark = pytest.mark.gpu


def test_a_real_card_tells_what_it_does() -> None:
    cards = gpus.look(10)
    assert cards, gpus.why_none()
    gpus.CARDS.watch_xids()
    time.sleep(3)
    for card in gpus.look(10):
        sample = card.sample
        assert card.state == "ok" and sample is not None, card.reason
        assert card.gpu.uuid.startswith(("GPU-", "MIG-"))
        assert sample.memory_total is None or 0 <= (sample.memory_used or 0) <= sample.memory_total
        assert sample.processes is not None
        if card.gpu.parent is None and sample.power_mw is not None:
            assert 1_000 < sample.power_mw < 2_000_000
            assert sample.temperature_c is not None and 5 < sample.temperature_c < 120


def test_energy_grows_as_power_says() -> None:
    before = {card.gpu.uuid: card.sample for card in gpus.look(10)}
    time.sleep(5)
    compared = 0
    for card in gpus.look(10):
        first, last = before[card.gpu.uuid], card.sample
        if first is None or last is None or first.energy_mj is None or last.energy_mj is None:
            continue
        seconds = (last.at_us - first.at_us) / 1e6
        watts = (last.energy_mj - first.energy_mj) / 1e3 / seconds
        assert last.power_mw is not None
        assert watts == pytest.approx(last.power_mw / 1e3, rel=0.5, abs=20)
        compared += 1
    if not compared:
        pytest.skip("no card here counts its energy")
