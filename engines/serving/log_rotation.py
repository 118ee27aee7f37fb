"""Engine logs that grow for months: what is in the middle goes, the start and the end stay.

An engine writes its log by itself, so that it needs nobody to serve on. The start tells how it was
loaded, which a swap compares, and whether it has ever served.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
from pathlib import Path

from store.private_files import open_log

MOST_BYTES = 64 << 20
HEAD_BYTES = 1 << 20
CHECK_S = 30.0


def rotate(log: Path, *, most: int = MOST_BYTES, head: int = HEAD_BYTES) -> bool:
    """Where a log has more than `most` bytes, move all of it to `<log>.1` and keep the whole lines
    in its first `head` bytes; whether it did. Raises OSError.

    What is written in the microseconds between the last copied byte and the cut is lost. The writer
    must append (O_APPEND), as `spawn` lets it.
    """
    descriptor = os.open(log, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "r+b") as file:
        if os.fstat(descriptor).st_size <= most:
            return False
        kept_bytes = file.read(head).rpartition(b"\n")[0]
        file.seek(0)
        whole = log.with_name(f"{log.name}.1.new")
        try:
            with open_log(whole, afresh=True) as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
            whole.replace(log.with_name(f"{log.name}.1"))
        except OSError as error:
            whole.unlink(missing_ok=True)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # No room to keep it: without it there is room for the ledger.
        file.truncate(len(kept_bytes) + 1 if kept_bytes else 0)
    return True


class LogRotation:
    """A thread that keeps a log small: a disk that hangs holds it, and nobody else."""

    def __init__(self, check_s: float = CHECK_S) -> None:
        self._check_s = check_s
        self._log: Path | None = None
        self._thread: threading.Thread | None = None

    def watch(self, log: Path) -> None:
        """From now on it is this one."""
        self._log = log
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log rotation", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            log = self._log
            if log is not None:
                # A full disk, a log that was removed: the next turn tries again.
                with contextlib.suppress(OSError):
                    rotate(log)
            time.sleep(self._check_s)
