"""vLLM's command line cut into flags, each with the words that belong to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"-\d+(\.\d*)?|-\.\d+")
_LEVEL = re.compile(r"-O\S+")
_SHORT = {
    "q": "quantization",
    "n": "nnodes",
    "r": "node-rank",
    "O": "optimization-level",
    "tp": "tensor-parallel-size",
    "pp": "pipeline-parallel-size",
    "dp": "data-parallel-size",
    "dcp": "decode-context-parallel-size",
    "pcp": "prefill-context-parallel-size",
    "dpn": "data-parallel-rank",
    "dpr": "data-parallel-start-rank",
    "dpl": "data-parallel-size-local",
    "dpa": "data-parallel-address",
    "dpp": "data-parallel-rpc-port",
    "dpb": "data-parallel-backend",
    "dph": "data-parallel-hybrid-lb",
    "dpe": "data-parallel-external-lb",
    "dpm": "data-parallel-multi-port-external-lb",
    "ep": "enable-expert-parallel",
    "sc": "speculative-config",
    "dc": "diffusion-config",
    "cc": "compilation-config",
    "ac": "attention-config",
}
"""vLLM 0.32's short flags (engine/arg_utils.py) and the long ones that they stand for."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag as it was written. `name` is the long one with dashes and without `no-`, '' for
    words that follow no flag; `words` are the flag and its values."""

    name: str
    words: tuple[str, ...]


def cut(arguments: Sequence[str]) -> list[Flag]:
    """The flags in their order; joined again, their words are the arguments.

    Every word up to the next flag is taken for a value, since only vLLM knows how many a flag
    takes. A negative number is a value.
    """
    groups: list[list[str]] = []
    for word in arguments:
        if is_flag(word) or not groups:
            groups.append([word])
        else:
            groups[-1].append(word)
    return [
        Flag(flag_name(words[0]) if is_flag(words[0]) else "", tuple(words)) for words in groups
    ]


def is_flag(word: str) -> bool:
    """Whether a word begins a flag."""
    return len(word) > 1 and word.startswith("-") and not _NUMBER.fullmatch(word)


def flag_name(word: str) -> str:
    """`--No_Foo=1`, `--foo` → `foo`; `-tp` → `tensor-parallel-size`; `--a-b.c_d` → `a-b.c_d`."""
    if not word.startswith("--"):
        short = "O" if _LEVEL.fullmatch(word) and word[2] != "." else word[1:].partition("=")[0]
        head, dot, tail = short.partition(".")
        return _SHORT.get(head, head) + dot + tail
    head, dot, tail = word[2:].partition("=")[0].partition(".")
    return head.replace("_", "-").lower().removeprefix("no-") + dot + tail


def without(flags: Iterable[Flag], names: Iterable[str]) -> list[Flag]:
    """The flags of other names. A name takes the parts of its object along: `x` also `x.y`."""
    dropped = frozenset(names)
    return [
        flag
        for flag in flags
        if flag.name not in dropped and flag.name.partition(".")[0] not in dropped
    ]


def last_value(arguments: Sequence[str], name: str) -> str | None:
    """The first value of the last flag of this name; None where it is not given or has none."""
    last = None
    for flag in cut(arguments):
        if flag.name == name:
            _, equals, value = flag.words[0].partition("=")
            last = value if equals else next(iter(flag.words[1:]), None)
    return last


def names_of(arguments: Sequence[str]) -> frozenset[str]:
    """The names of all flags that are given."""
    return frozenset(flag.name for flag in cut(arguments) if flag.name)


def joined(flags: Iterable[Flag]) -> tuple[str, ...]:
    """The words of the flags, one after another."""
    return tuple(word for flag in flags for word in flag.words)
