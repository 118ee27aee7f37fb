"""JSON as others write it: a tree, and texts in it that no serialiser would make."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Raw:
    """Stands in a tree for text that is put there as it is."""

    text: str


def dump(tree: Any) -> bytes:
    """One line, without its end. Halves of surrogate pairs become escapes, as JSON allows."""
    return _text(tree).encode()


def _text(tree: Any) -> str:
    if isinstance(tree, Raw):
        return tree.text
    if isinstance(tree, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_text(tree[key])}" for key in tree) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ",".join(map(_text, tree)) + "]"
    return json.dumps(tree)
