"""What the tests of adopting share: programs started by hand, and their end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines.supervisor_client import client
from tests.addresses import held_port
from tests.fault.adoption.by_hand import ODD, PAGE, PROGRAM, ByHand, answers, ask
from tests.waiting import wait_until


@pytest.fixture
def by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ByHand]]:
    monkeypatch.setenv("TRIMTAB_DATA_DIR", str(tmp_path / "data"))
    home = tmp_path / "environment"
    (home / "bin").mkdir(parents=True)
    shutil.copy(PROGRAM, home / "bin" / "vllm")
    begun: list[subprocess.Popen[bytes]] = []
    urls: list[str] = []

    def start(**told: object) -> ByHand:
        told |= {"page": str(PAGE)}
        environ = os.environb | {b"STUB": json.dumps(told).encode(), b"ODD": ODD}
        command = [sys.executable, "bin/vllm", "serve", "m", "--port"]
        with held_port() as port:
            begun.append(
                subprocess.Popen(
                    [*command, str(port)], cwd=home, env=environ, stdout=subprocess.DEVNULL
                )
            )
            found = ByHand(begun[-1].pid, f"http://127.0.0.1:{port}", home)
            urls.append(found.url)
            wait_until(lambda: answers(found.url))
        return found

    yield start
    for path in (tmp_path / "data" / "serving").glob("*.json"):
        if client.status(path.stem) is not None:
            client.stop(path.stem, drain_s=0)
    for process in begun:
        process.kill()
        process.wait()
    for url in urls:
        if answers(url):  # what a supervisor gave its address back to
            os.kill(ask(url)["pid"], signal.SIGKILL)
