"""What a process inherits besides its environment."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a process inherits besides its environment. `limits` are soft and hard, by name."""

    limits: Mapping[str, tuple[int, int]]
    cores: tuple[int, ...]
    nice: int
    umask: int | None

    def apply(self) -> None:
        """Take them on, as far as we may."""
        for name, limit in self.limits.items():
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), limit)
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, self.cores)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, self.nice)
        if self.umask is not None:
            os.umask(self.umask)


def conditions_from_json(written: Mapping[str, Any]) -> Conditions:
    """What `dataclasses.asdict` and JSON made of them."""
    limits = {name: (soft, hard) for name, (soft, hard) in written["limits"].items()}
    return Conditions(limits, tuple(written["cores"]), written["nice"], written["umask"])
