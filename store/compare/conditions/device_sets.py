"""Whether two windows were on the same devices, all of them there all the time.

A GPU that is lost, silent, or joins in the midst makes an engine slower or cheaper for a reason
that is none of the things a person compares. Another set of devices after a restart is a choice,
and is only told (`store.compare.conditions.circumstances`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from store.metrics.formats import three_digits
from store.windows.device_set import DeviceSet, read_device_set

if TYPE_CHECKING:
    from store.compare.sides.side import Side
    from store.ledger.connection import Ledger
    from store.records import Device


def devices_unlike(ledger: Ledger, a: Side, b: Side) -> list[str]:
    """Sentences on devices that were not there, or did not answer, for a part of a window, and on
    windows of one run that had others; [] where all is alike."""
    if a.window is None or b.window is None:
        return []
    sets = read_device_set(ledger, a.window), read_device_set(ledger, b.window)
    sentences = _inside(a, sets[0]) + _inside(b, sets[1])
    is_one_run = bool({*a.window.run_ids} & {*b.window.run_ids})
    if not sentences and is_one_run and sets[0].held != sets[1].held:
        sentences.append(
            f"{a.label} and {b.label} were on other devices: {_named(sets[0].held ^ sets[1].held)}"
        )
    return sentences


def _inside(side: Side, devices: DeviceSet) -> list[str]:
    assert side.window is not None
    sentences = []
    for device, outage in devices.outages:
        from_ms = max(outage.from_ms, side.window.from_ms)
        to_ms = min(outage.to_ms or side.window.to_ms, side.window.to_ms)
        seconds = three_digits(max(0, to_ms - from_ms) / 1000)
        sentences.append(
            f"{side.label}: {_named([device])} was {outage.state} for {seconds} s ({outage.reason})"
        )
    for words, moved in (("joined", devices.joined), ("left", devices.left)):
        if moved:
            sentences.append(f"{side.label}: {_named(moved)} {words} in its midst")
    return sentences


def _named(devices: Iterable[Device]) -> str:
    return ", ".join(sorted(f"{device.name} ({device.uuid})" for device in devices))
