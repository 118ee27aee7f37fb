"""A recorder beside a check."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.engine.command import Trimtab


@contextmanager
def recorded(trimtab: Trimtab) -> Iterator[None]:
    """Within the block the engine is recorded into the ledger of `trimtab`."""
    recorder = trimtab("record", "--detach")["pid"]
    try:
        yield
    finally:
        os.kill(recorder, signal.SIGTERM)
