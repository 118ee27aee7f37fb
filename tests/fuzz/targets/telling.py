"""What a target says of itself on its standard output, a line for each line of its input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def tell_until_asked_to_end(path: Path, state: Callable[[], dict[str, Any]]) -> None:
    """Say where it listens, then its state for each line, until the input ends."""
    print(json.dumps({"path": str(path)}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(state()), flush=True)
