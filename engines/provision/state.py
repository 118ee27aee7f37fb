"""Which steps are done: a small JSON file, replaced whole after each; and a lock between runs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from store.private_files import open_private

_FORMAT = 1
_POLL_S = 0.25


def read_done(path: Path) -> dict[str, str]:
    """Finished steps and what each left (`{"torch": "2.13.0+cpu"}`); empty when unreadable."""
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != _FORMAT:
            return {}
        return {str(step): str(result) for step, result in content["done"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def mark_done(path: Path, step: str, result: str) -> None:
    """Add a finished step. A kill leaves the old file or the new one, never half of one."""
    done_steps = read_done(path) | {step: result}
    write_atomically(path, json.dumps({"format": _FORMAT, "done": done_steps}, indent=2) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by one with this text, for its owner alone, through a synced draft beside it.

    Raises OSError, and leaves the file as it was then.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = open_private(draft, os.O_WRONLY | os.O_TRUNC)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def exclusive(path: Path, on_wait: Callable[[float], None]) -> Iterator[int]:
    """Hold a lock file; yields its descriptor. `on_wait(seconds)` is called while another holds it.

    Hand the descriptor to child processes: the lock then lasts as long as the last of them, also
    when this process is killed and its pip runs on.
    """
    descriptor = open_private(path, os.O_RDWR)
    began = time.monotonic()
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                on_wait(time.monotonic() - began)
                time.sleep(_POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)
