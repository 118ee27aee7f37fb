"""Whether two windows had the same part of their devices.

Allocated cost and energy are charged by the engine's part of a shared device. A neighbour that came
or went changes that part and so what a request costs on the bill, though the engine did nothing
else; what one second of the same devices did is then compared in place of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.metrics.specs import MetricSpec
from store.records import Device
from store.windows.device_notes import device_notes_of

if TYPE_CHECKING:
    from store.compare.sides.side import Side
    from store.ledger.connection import Ledger
    from store.windows.window import Window

ALIKE = 1.02
"""Mean parts of a device whose ratio is at most this are taken for the same."""
_BY_PART = ("_usd", "energy_j")


def is_by_part(spec: MetricSpec) -> bool:
    """Whether a metric is made of what is charged by the engine's part of a device."""
    return any(amount.endswith(_BY_PART) for amount in (spec.over, spec.per) if amount)


def shared_otherwise(ledger: Ledger, a: Side, b: Side) -> str:
    """What is told where a device that both windows held was shared otherwise in the one than in
    the other; '' where none was."""
    if a.window is None or b.window is None:
        return ""
    parts = _parts(a.window), _parts(b.window)
    for device in parts[0].keys() & parts[1].keys():
        low, high = sorted((parts[0][device], parts[1][device]))
        notes = _shared(ledger, a.window, device), _shared(ledger, b.window, device)
        if high > ALIKE * low and notes != ((), ()):
            told = [
                f"{side.label}: {part[device]:.0%} its own{''.join(f', {text}' for text in shared)}"
                for side, part, shared in zip((a, b), parts, notes, strict=True)
            ]
            return (
                f"{device.name} was shared otherwise ({told[0]}; {told[1]}): "
                "what is charged by its part is not comparable"
            )
    return ""


def _parts(window: Window) -> dict[Device, float]:
    """The engine's mean part of each device that it held throughout a window of one run."""
    elapsed_ms = window.to_ms - window.from_ms
    if window.runs != 1 or elapsed_ms <= 0:
        return {}
    return {each.device: each.held_ms / elapsed_ms for each in window.devices if each.held_ms > 0}


def _shared(ledger: Ledger, window: Window, device: Device) -> tuple[str, ...]:
    """With whom and by what a device was shared in a window, each once; a device that was alone
    the engine's, and held for a part of the window only, was not shared."""
    notes = device_notes_of(ledger, window).get(device.uuid, ())
    return tuple(dict.fromkeys(span.note.shared for span in notes if span.note.shared))
