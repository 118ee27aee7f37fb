"""Processes of another user's that look like engines, as many as one likes. Root only."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

_PROGRAM = """
import socket, time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1)
print("ready", flush=True)
time.sleep(1e6)
"""


@contextlib.contextmanager
def strangers(home: Path, count: int) -> Iterator[None]:
    """So many processes of another user's that look like engines."""
    home.mkdir(exist_ok=True)
    home.chmod(0o755)
    (home / "serve").write_text(_PROGRAM)
    words = ["vllm", "serve", "m", "--port", "8000", "--chat-template", "{% x %}" * 4_000]
    begun = [
        subprocess.Popen(
            words,
            executable="/usr/bin/python3",
            cwd=home,
            env={},
            stdout=subprocess.PIPE,
            user="nobody",
            start_new_session=True,
        )
        for _ in range(count)
    ]
    try:
        for process in begun:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        for process in begun:
            process.kill()
        for process in begun:
            process.communicate()
