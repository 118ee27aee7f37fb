"""An engine to be started: as asked for, and ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engines.host.processes import serve_arguments
from store.records import AS_STARTED

BEFORE = "before"
"""What the variant of a swap back is called while nobody knows which that is."""


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """What to serve. `model` is a demo model's name, a directory, or a hub name already on this
    host; `arguments` go to vLLM as they are; `python` is that of a vLLM environment, the
    provisioned one if None; `environ` is this process's if None; `db` the ledger that its
    supervisor tells of its life, none if None."""

    model: str
    name: str | None = None
    arguments: tuple[str, ...] = ()
    python: Path | None = None
    environ: Mapping[str, str] | None = None
    db: Path | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """An engine ready to be started. `address` is where it listens, `url` where it is reached from
    here, `gives_way` whether its watchers go before it, `variant` the name of the variant it became
    by the swap `swap_id`, `db` the ledger that is told of its life (a path)."""

    name: str
    model: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(repr=False)
    address: tuple[str, int]
    url: str
    cores: tuple[int, ...] = ()
    log_only: bool = False
    gives_way: bool = False
    variant: str = AS_STARTED
    swap_id: str | None = None
    db: str | None = None
    directory: str | None = None

    @property
    def serve_at(self) -> int:
        """Where the word before vLLM's arguments stands: `serve`, or the module's name."""
        return len(self.command) - len(serve_arguments(self.command) or ()) - 1

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows `vllm serve`."""
        return self.command[self.serve_at + 1 :]
