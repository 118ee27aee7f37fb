"""A target from outside: its process, its socket, what it tells, what it holds."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.finding import Finding
from tests.fuzz.sound_requests import SECRET

ROOT = Path(__file__).parents[2]
_CALM_S = 20.0
"""Silent connections are let go after five seconds."""


@dataclass
class Target:
    """A running one."""

    process: subprocess.Popen[str]
    path: Path

    def state(self) -> dict[str, Any]:
        """What it tells; a finding where it tells nothing any more."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except OSError:
            raise Finding("the process has ended") from None
        line = self.process.stdout.readline()
        if not line:
            raise Finding(f"the process has ended ({self.process.wait()})")
        told: dict[str, Any] = json.loads(line)
        return told

    def memory_kib(self) -> int:
        """What it holds of the machine's memory."""
        return memory_kib(self.process.pid)

    def files(self) -> list[str]:
        """What it has open."""
        return open_files(self.process.pid)

    def check_files(self, before: list[str]) -> None:
        """That no more are open once nobody is connected any more."""
        until = time.monotonic() + _CALM_S
        while len(files := self.files()) > len(before):
            if time.monotonic() > until:
                raise Finding(f"its open files were {before}, now {files}")
            time.sleep(0.05)


@contextmanager
def serving(protocol: str, home: Path) -> Iterator[Target]:
    """The target of a protocol, with its socket in `home`."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.fuzz.targets.{protocol}", str(home)],
        cwd=ROOT,
        env=os.environ | {"VLLM_API_KEY": SECRET},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Target(process, Path(json.loads(process.stdout.readline())["path"]))
    finally:
        process.kill()
        process.communicate()


def memory_kib(pid: int | str) -> int:
    """The resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def open_files(pid: int | str) -> list[str]:
    """What a process has open, in order of the numbers."""
    files = []
    for link in sorted(Path(f"/proc/{pid}/fd").iterdir(), key=lambda link: int(link.name)):
        with contextlib.suppress(FileNotFoundError):  # that of listing them
            files.append(str(link.readlink()))
    return files
