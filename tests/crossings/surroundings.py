"""What surrounds an act: a disk that can be filled, a clock that can be stepped, and a process that
is none of our business."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CLOCK = Path(__file__).with_name("stepped_clock")
"""On `PYTHONPATH`, it steps the wall clock by as many seconds as the file `STEPPED_CLOCK` says."""
DISK_MIB = 8


@contextlib.contextmanager
def small_disk(at: Path) -> Iterator[None]:
    """A directory, on a small file system of its own where we may mount one."""
    at.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(at)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    try:
        yield
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill_disk(at: Path) -> None:
    """Until nothing more goes on it; at most what a small disk holds."""
    with (at / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        for _ in range(DISK_MIB * 16):
            filler.write(bytes(65_536))


def empty_disk(at: Path) -> None:
    """Make room again."""
    (at / "filler").unlink()


@contextlib.contextmanager
def bystander(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Named as an engine is; any signal would end it."""
    home.mkdir()
    (home / "serve").write_text("import sys; sys.stdin.read()")
    process = subprocess.Popen(
        ["vllm", "serve", "another"],
        executable=sys.executable,
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
