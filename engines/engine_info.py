"""An engine as it was found: what discovery tells and every other room takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engines.held_gpus import Holding
from engines.knob_handle import KnobHandle
from store.records import Control, RunInfo


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine as found just now.

    `url` is its base address; one that cannot be reached over TCP has another scheme than http.
    `reason` says what limits `control`. `arguments` is the whole command line without secrets,
    `sockets` the plugin's, one per EngineCore, `supervisor` the name by which a supervisor of
    trimtab's has it, so that it can be swapped, `user` whom it runs as where that is not ourselves.
    `certificate` is the file of the one that it shows over TLS. `gpus` names the GPUs that it
    holds, `holding` says how that is known and how they are shared.
    Fields that cannot be known are None or empty.
    """

    url: str
    name: str
    model: str | None = None
    pid: int | None = None
    vllm_version: str | None = None
    control: Control = "observe"
    reason: str = ""
    gpus: tuple[str, ...] = ()
    started_ms: int | None = None
    arguments: tuple[str, ...] = ()
    sockets: tuple[Path, ...] = ()
    supervisor: str | None = None
    user: str = ""
    certificate: Path | None = None
    holding: Holding = field(default_factory=Holding)

    def run_info(self) -> RunInfo:
        """What the ledger keeps of this life of the engine."""
        return RunInfo(
            url=self.url,
            name=self.name,
            model=self.model,
            pid=self.pid,
            started_ms=self.started_ms,
            vllm_version=self.vllm_version,
            control=self.control,
            reason=self.reason,
            arguments=self.arguments,
        )

    def handle(self) -> KnobHandle:
        """The way to its knobs."""
        return KnobHandle(self.run_info(), self.sockets)


def engine_of(handle: KnobHandle) -> EngineInfo:
    """The engine with these knobs, as far as its handle tells."""
    life = handle.life
    return EngineInfo(
        url=life.url,
        name=life.name,
        model=life.model,
        pid=life.pid,
        vllm_version=life.vllm_version,
        control=life.control,
        reason=life.reason,
        started_ms=life.started_ms,
        arguments=life.arguments,
        sockets=handle.sockets,
    )
