"""`vllm serve` as a person types it, with nothing of trimtab's."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines.host import lifetime, procfs
from engines.launch.command import find_vllm
from engines.provision.environment import made_models
from engines.serving.started import Started
from engines.serving.startup import wait_healthy
from tests.addresses import held_port
from tests.engine.conftest import MODEL, LiveEngine, need_environment


@contextmanager
def vllm_by_hand(home: Path) -> Iterator[LiveEngine]:
    """An engine started from `home`, healthy; whatever of it is left at the end is killed."""
    need_environment()
    log = home / "vllm.log"
    arguments = ("--served-model-name", MODEL, "--host", "127.0.0.1")
    limits = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "1024")
    command = (*find_vllm(None).command, "serve", str(made_models()[MODEL]), *arguments, *limits)
    # Another core than that of the session's engine, which takes the upper one.
    own = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "0", "HF_HUB_OFFLINE": "1"}
    with held_port() as port:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--port", str(port)],
                cwd=home,
                env=os.environ | own,
                stdout=output,
                stderr=output,
            )
        url = f"http://127.0.0.1:{port}"
        ticks = lifetime.start_ticks(process.pid) or 0
        started = Started("by-hand", process.pid, ticks, url, log)
        try:
            wait_healthy(started, 300)
        except BaseException:
            _end(process)
            raise
    try:
        yield LiveEngine("by-hand", url, process.pid, ())
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for below in procfs.descendants(process.pid, procfs.processes()):
        os.kill(below.pid, signal.SIGKILL)
    process.kill()
    process.wait()
