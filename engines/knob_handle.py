"""What it takes to turn an engine's knobs: which life of it is meant, and the way in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from store.records import RunInfo


@dataclass(frozen=True, slots=True)
class KnobHandle:
    """One life of an engine, and the plugin's sockets in it, one per EngineCore.

    Its knobs can be turned where `life.control` is `live`; else `life.reason` says why not.
    """

    life: RunInfo
    sockets: tuple[Path, ...] = ()
