"""The headers of safetensors files: what tensors a checkpoint holds, without loading one.

A file begins with the length of its header (8 bytes, little endian), then the header as JSON: for
each tensor its type, shape and place (https://github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

MAX_HEADER = 32 << 20
"""Headers of the largest checkpoints are a few MiB; the format itself allows 100 MB."""

FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
_LENGTH = 8


class Unreadable(Exception):
    """Why a file tells nothing; never leaves the package."""


def tensor_bytes(path: Path) -> Counter[str]:
    """Bytes of tensors in one file by their type (`F16`, `I32`, `F8_E4M3`, ...).

    Raises `Unreadable` for a file that is no safetensors, or that ends before its tensors do.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            if not 2 <= length <= MAX_HEADER:
                raise Unreadable(f"{path.name} is no safetensors file")
            header = json.loads(file.read(length))
        size = path.stat().st_size
    except OSError as error:
        raise Unreadable(f"{path.name}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, RecursionError):
        raise Unreadable(f"{path.name} has a broken header") from None
    by_type: Counter[str] = Counter()
    end = 0
    for name, tensor in header.items() if isinstance(header, dict) else ():
        if name == "__metadata__":
            continue
        try:
            start, stop = map(int, tensor["data_offsets"])
            by_type[str(tensor["dtype"])] += stop - start
        except (TypeError, KeyError, ValueError):
            raise Unreadable(f"{path.name} has a broken header") from None
        end = max(end, stop)
    if _LENGTH + length + end > size:
        raise Unreadable(f"{path.name} is cut short: {_LENGTH + length + end - size} bytes missing")
    return by_type
