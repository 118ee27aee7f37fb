"""What is told of each device of a window: its part, its cost, how it is held and shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.metrics.cost import DeviceCost, WindowCost
from store.records import Device
from store.windows.device_notes import device_notes_of

if TYPE_CHECKING:
    from store.ledger.connection import Ledger
    from store.windows.window import Window

UNEVEN_BUSY = 0.15
"""From which difference of mean utilisations on it is told that GPUs are not alike busy."""


@dataclass(frozen=True, slots=True)
class DeviceTold:
    """One device of a window. `share` is the engine's mean part of it (0..1, None where the window
    spans several runs), `utilisation` the device's mean while it was watched, `joined` how it is
    known that the engine holds it, `shared` with whom and by what it was shared, each once.
    """

    cost: DeviceCost
    share: float | None
    utilisation: float | None
    joined: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()

    @property
    def device(self) -> Device:
        """The device itself."""
        return self.cost.device


def devices_told(ledger: Ledger, window: Window, cost: WindowCost) -> tuple[DeviceTold, ...]:
    """Each device that the window's cost is of, in the order in which they joined."""
    notes = device_notes_of(ledger, window)
    elapsed_ms = window.to_ms - window.from_ms if window.runs == 1 else 0
    busy = {
        each.device: each.busy_us / 1e3 / each.watched_ms
        for each in window.devices
        if each.busy_us is not None and each.watched_ms
    }
    return tuple(
        DeviceTold(
            line,
            line.hours * 3.6e6 / elapsed_ms if elapsed_ms else None,
            busy.get(line.device),
            tuple(dict.fromkeys(span.note.joined for span in spans)),
            tuple(dict.fromkeys(span.note.shared for span in spans if span.note.shared)),
        )
        for line in cost.devices
        for spans in (notes.get(line.device.uuid, ()),)
    )


def uneven_busy(devices: Sequence[DeviceTold]) -> str:
    """What is told where the GPUs of one engine are not alike busy; '' where they are. Ranks of a
    tensor-parallel group wait for the slowest of them."""
    known = [
        (each.utilisation, each)
        for each in devices
        if each.device.kind == "gpu" and each.utilisation is not None
    ]
    if len(known) < 2:
        return ""
    least, most = min(known, key=lambda pair: pair[0]), max(known, key=lambda pair: pair[0])
    if most[0] - least[0] < UNEVEN_BUSY:
        return ""
    return (
        f"its GPUs are not alike busy: {most[1].device.uuid} {most[0]:.0%}, "
        f"{least[1].device.uuid} {least[0]:.0%}"
    )
