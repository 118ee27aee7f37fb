"""The command line on an engine that shares a busy machine."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.engine.command import Trimtab

_UNREACHABLE = 3
_TRIES = 5


@dataclass
class PatientTrimtab(Trimtab):
    """Asks again where the engine does not answer in time: that is no finding about its version."""

    def __call__(self, command: str, *words: str, code: int = 0) -> Any:
        for _ in range(_TRIES):
            process: subprocess.Popen[str] = self.begin(command, *words)
            told, self.printed = process.communicate(timeout=400)
            if process.returncode != _UNREACHABLE:
                break
        assert process.returncode == code, (told, self.printed)
        return json.loads(told)
