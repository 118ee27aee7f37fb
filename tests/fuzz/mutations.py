"""Small damage to a sound message: to its tree, and to the bytes that it is sent as."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

from engines.inside.trimtab_inside.private_socket.protocol import LONGEST_LINE
from tests.fuzz.json_text import dump
from tests.fuzz.strange_values import strange_like, strange_value

Tree = dict[str, Any]


def mutated(chance: Random, message: Tree) -> Tree:
    """The message with one to three of its fields, at any depth, not as they should be."""
    tree = deepcopy(message)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        _harm_tree(chance, tree)
    return tree


def line_of(chance: Random, tree: Any) -> bytes:
    """The message as one line, now and then no JSON any more."""
    line = dump(tree)
    return chance.choice(_HARMS)(chance, line) if chance.random() < 0.2 else line


def _harm_tree(chance: Random, tree: Tree) -> None:
    holder: Any = chance.choice(list(_holders(tree)))
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    act = chance.random()
    if not keys or act < 0.05:
        _add(chance, holder)
    elif act < 0.25:
        del holder[chance.choice(keys)]
    elif act < 0.35 and len(keys) > 1:
        one, other = chance.sample(keys, 2)
        holder[one], holder[other] = holder[other], holder[one]
    elif act < 0.4 and isinstance(holder, dict):
        name = str(chance.choice(keys))
        holder[name.upper()] = holder.pop(name)
    else:
        key = chance.choice(keys)
        like = act < 0.7
        holder[key] = strange_like(chance, holder[key]) if like else strange_value(chance)


def _add(chance: Random, holder: Any) -> None:
    if isinstance(holder, dict):
        holder[chance.choice(("", "v", "op", "extra", "\ud800", "__class__"))] = strange_value(
            chance
        )
    else:
        holder.append(strange_value(chance))


def _holders(tree: Any) -> Iterator[Any]:
    """The tree and every object and list in it."""
    if isinstance(tree, dict | list):
        yield tree
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _holders(value)


def _cut(chance: Random, line: bytes) -> bytes:
    return line[: chance.randrange(len(line))]


def _flip(chance: Random, line: bytes) -> bytes:
    at = chance.randrange(len(line))
    return line[:at] + bytes([chance.randrange(256)]) + line[at + 1 :]


def _insert(chance: Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) + 1)
    return line[:at] + chance.randbytes(chance.randint(1, 20)) + line[at:]


def _break(chance: Random, line: bytes) -> bytes:
    at = chance.randrange(len(line) + 1)
    return line[:at] + b"\n" * chance.randint(1, 3) + line[at:]


def _pad(chance: Random, line: bytes) -> bytes:
    """To a length about the longest that is taken."""
    wanted = LONGEST_LINE + chance.choice((-1, 0, 1, 2, LONGEST_LINE, 8 * LONGEST_LINE))
    padding = b" " * max(0, wanted - len(line))
    return padding + line if chance.random() < 0.5 else line + padding


def _twice(chance: Random, line: bytes) -> bytes:
    return line + line


def _same_key_twice(chance: Random, line: bytes) -> bytes:
    return line.replace(b"{", b'{"op":"hello","v":9,', 1)


def _other_encoding(chance: Random, line: bytes) -> bytes:
    return line.decode().encode(chance.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le")))


def _noise(chance: Random, line: bytes) -> bytes:
    return chance.randbytes(chance.randint(0, 300))


_HARMS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _cut,
    _flip,
    _insert,
    _break,
    _pad,
    _twice,
    _same_key_twice,
    _other_encoding,
    _noise,
)
