"""What engines that share a device are charged adds up to the device's time."""

from __future__ import annotations

import pytest

from engines.devices.gpu_share import GpuShares
from engines.devices.joining.holding import Asked
from engines.held_gpus import GpuHold, Holding
from engines.recording.devices.device_time import WHOLE, DeviceAccumulator, DeviceSample
from store.records import Device

S = 1_000_000
GPU = Device("gpu", "GPU-1", "NVIDIA H100 80GB HBM3")
FIRST, SECOND = Asked(11), Asked(12)


class Card:
    """A GPU that is split among those who hold it, by their memory, at the moment of a look."""

    def __init__(self) -> None:
        self.memory = {FIRST: 60, SECOND: 0}
        self.looks = 0

    def look(self, asked: object) -> list[Holding]:
        self.looks += 1
        total = sum(self.memory.values())
        return [
            Holding((GpuHold(GPU, self.memory[each] / total, None, "0"),))
            if self.memory[each]
            else Holding()
            for each in asked  # type: ignore[attr-defined]
        ]


def test_engines_that_look_at_instants_of_their_own_share_a_gpu_to_the_last_part() -> None:
    """The second one comes and goes; each is sampled once a second, half a second apart."""
    card, shares = Card(), GpuShares()
    accumulators = {
        each: DeviceAccumulator(number, 1.0) for number, each in enumerate((FIRST, SECOND))
    }
    held_ms = {FIRST: 0, SECOND: 0}
    for tick in range(60):
        card.memory[SECOND] = 20 if 13 <= tick < 31 else 0
        for asked, offset in ((FIRST, 0), (SECOND, 437_211)):
            now = S + tick * S + offset
            holding, held = shares.of(asked, [FIRST, SECOND], card.look, now)
            for hold in holding.holds:
                sample = DeviceSample(
                    1, round(hold.share * WHOLE), held_ppm_us=held[hold.device.uuid]
                )
                reading = accumulators[asked].add(sample, now // 1000, now)
                held_ms[asked] = reading.held_ms
    end = S + 60 * S
    charged = sum(
        held
        for each in (FIRST, SECOND)
        for held in shares.of(each, [FIRST, SECOND], card.look, end)[1].values()
    )
    # The second one's account is closed when it is seen to be gone: what it held is in its ledger.
    assert held_ms[FIRST] + held_ms[SECOND] == pytest.approx(59_000, abs=1_500)
    assert 0 < held_ms[SECOND] < 20_000 * 0.25 + 1
    assert charged <= 60 * S * WHOLE
    assert card.looks <= 14  # once for all, not once for each


def test_parts_that_move_between_two_that_stay_are_the_whole_to_the_last_microsecond() -> None:
    card, shares = Card(), GpuShares()
    everyone = [FIRST, SECOND]
    for tick in range(100):
        card.memory = {FIRST: 1 + tick % 3, SECOND: 4 - (1 + tick % 3)}
        for asked, offset in ((FIRST, 0), (SECOND, 437_211)):
            shares.of(asked, everyone, card.look, S + tick * S + offset)
    end = 3 * S + 100 * S
    held = [shares.of(asked, everyone, card.look, end)[1][GPU.uuid] for asked in everyone]
    assert sum(held) == (end - S) * WHOLE
    assert min(held) > 0


def test_device_time_that_is_counted_for_all_is_taken_over_a_share_of_one() -> None:
    accumulator = DeviceAccumulator(1, 1.0)
    accumulator.add(DeviceSample(1, WHOLE, held_ppm_us=0), 0, 0)
    counted = accumulator.add(DeviceSample(1, WHOLE, held_ppm_us=S * WHOLE // 4), 1000, S)
    assert counted.held_ms == 250
    alone = accumulator.add(DeviceSample(1, WHOLE), 2000, 2 * S)
    assert alone.held_ms == 1250  # where it is not counted, the share tells
