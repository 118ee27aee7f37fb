"""The immutable values that cross from `engines` into the ledger and from the ledger to `app`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from store.reading_columns import Bounds

Control = Literal["live", "swap", "observe"]
KnobKind = Literal["live", "swap"]
KnobValue = bool | int
VARIANT = "variant"
"""The knob of a change that was a swap; its values are names of variants."""
AS_STARTED = "start"
"""The variant of an engine that was never swapped."""
Outcome = Literal["applied", "refused", "put back", "failed"]
Cause = Literal["set", "undo", "lease", "found"]
"""Why a knob moved: a person set it, took it back, its lease ran out, or it was found moved
(somebody acted without this ledger)."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One life of an engine, as known when it is first seen. `arguments` are already redacted."""

    url: str
    name: str
    model: str | None = None
    pid: int | None = None
    started_ms: int | None = None
    vllm_version: str | None = None
    control: Control = "observe"
    reason: str = ""
    arguments: tuple[str, ...] = ()
    bounds: Bounds = field(default_factory=Bounds)
    cache_config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineRow:
    """An engine the ledger knows: its address, its name, and when it was last read."""

    id: int
    url: str
    name: str
    state: Literal["ok", "unreadable", "gone"]
    state_reason: str
    state_ms: int | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A stored run: `RunInfo` with its identity and the span of its readings (None: no reading)."""

    id: int
    engine_id: int
    info: RunInfo
    first_ms: int | None
    last_ms: int | None


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or the host a CPU engine runs on. `name` is NVML's product name or the CPU's model."""

    kind: Literal["gpu", "host"]
    uuid: str
    name: str


@dataclass(frozen=True, slots=True)
class DeviceNote:
    """How it is known that a run holds a device, and with whom and by what it shares it ('' where
    it has it alone). The words stay the same while nothing changes."""

    device_uuid: str
    joined: str
    shared: str


@dataclass(frozen=True, slots=True)
class KnobState:
    """A knob as the engine has it now. Bounds and start are None where it is not known.

    `kind` says whether it can change live; `reason` why it cannot, or what to mind. `lease_left_s`
    are the seconds until it falls back to `lease_back_to`, None without a lease; they go on by
    themselves, so two states that differ in the lease alone are the same.
    """

    name: str
    kind: KnobKind
    value: KnobValue | None
    start: KnobValue | None
    minimum: int | None
    maximum: int | None
    reason: str = ""
    lease_left_s: float | None = field(default=None, compare=False)
    lease_back_to: KnobValue | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One audited change of a knob, or of the variant by a swap. `id` is made by whoever asks (a
    UUID4 as text), so that the same change told by the engine and by the asker is one row.

    `ts_ms` is when it took effect (or was refused), `took_ms` the engine's own time from received
    to applied (of a swap: all of it), `per_engine` the outcome in each EngineCore by its label,
    `undoes` the change taken back. Changes of one command have the same `act`, which is '' for one
    that was made alone.
    """

    id: str
    ts_ms: int
    knob: str
    from_value: KnobValue | str | None
    to_value: KnobValue | str | None
    outcome: Outcome
    cause: Cause
    who: str
    why: str = ""
    reason: str = ""
    took_ms: float | None = None
    lease_s: float | None = None
    undoes: str | None = None
    per_engine: Mapping[str, str] = field(default_factory=dict)
    act: str = ""

    @property
    def took_effect(self) -> bool:
        """Whether anything is another since: a lease that is renewed moves no value."""
        moved = self.from_value != self.to_value or self.knob == VARIANT
        return self.outcome == "applied" and moved


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the event log. `kind` is one word (`run`, `status`, `change`, `snapshot`, …)."""

    ts_ms: int
    kind: str
    text: str


def format_value(value: KnobValue | str | None) -> str:
    """A knob's value as people type and read it: on, off, a number, a name, or – when unknown."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
