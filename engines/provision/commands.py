"""Run a command of the provisioning: its lines go to the log and to whoever follows them."""

from __future__ import annotations

import io
import os
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from engines.cleaning.redact import redact_text
from engines.provision.failures import explain
from store.private_files import open_log, private_directory

_KEPT_LINES = 400
_END_S = 5.0

OnLine = Callable[[str], None]


class Runner:
    """Runs commands one after another with one log, sharing the provisioning's lock with them."""

    def __init__(self, log: Path, lock: int, temporary: Path) -> None:
        self.log = log
        self._lock = lock
        self._temporary = temporary

    def run(self, doing: str, command: Sequence[str], on_line: OnLine | None = None) -> str:
        """What the command printed; raises `ProvisionFailed`, worded with `doing`.

        The log keeps every line, the answer the last few hundred.
        """
        output, status = self.attempt(command, on_line)
        if status:
            raise explain(doing, output, status, self.log)
        return output

    def attempt(self, command: Sequence[str], on_line: OnLine | None = None) -> tuple[str, int]:
        """What the command printed and how it ended (negative: by that signal)."""
        private_directory(self._temporary)
        last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        with (
            io.TextIOWrapper(open_log(self.log), encoding="utf-8", errors="replace") as log,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                pass_fds=(self._lock,),
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            log.write(f"$ {redact_text(' '.join(command))}\n")
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    last_lines.append(line)
                    log.write(redact_text(line))
                    if on_line is not None:
                        on_line(line.rstrip())
            except BaseException:
                _end(process)
                raise
        return "".join(last_lines), process.returncode

    def _environment(self) -> dict[str, str]:
        """Ours, but nothing of our own virtual environment, and no model hub."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
        }
        return environment | {
            # Without a retry pip does not tell a network that is away from a wheel not made.
            "PIP_RETRIES": "2",
            "PIP_TIMEOUT": "20",
            "PYTHONUNBUFFERED": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "TMPDIR": str(self._temporary),
        }


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
