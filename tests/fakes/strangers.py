"""Processes of another user's that look like engines, as many as one likes. Root only."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

_PROGRAM = """
import os, socket, sys, time
standing, stands = os.pipe()
for _ in range(int(sys.argv[-1]) - 1):
    # A child whose parent has ended is a tree of its own.
    if (child := os.fork()) == 0:
        if os.fork():
            os._exit(0)
        break
    os.waitpid(child, 0)
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1)
os.write(stands, b"x")
if os.getpid() == os.getpgrp():
    left = int(sys.argv[-1])
    while left:
        left -= len(os.read(standing, left))
    print("ready", flush=True)
time.sleep(1e6)
"""


@contextlib.contextmanager
def strangers(home: Path, count: int, user: str | int = "nobody") -> Iterator[None]:
    """So many processes of another user's that look like engines. Each has 30 kB of arguments and a
    port that takes connections and never answers, and sleeps."""
    if not count:
        yield
        return
    home.mkdir(exist_ok=True)
    home.chmod(0o755)
    (home / "serve").write_text(_PROGRAM)
    words = ["vllm", "serve", "m", "--port", "8000", "--chat-template", "{% x %}" * 4_000]
    first = subprocess.Popen(
        [*words, "--max-num-seqs", str(count)],
        executable="/usr/bin/python3",
        cwd=home,
        env={},
        stdout=subprocess.PIPE,
        user=user,
        start_new_session=True,
    )
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == b"ready\n"
        yield
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
