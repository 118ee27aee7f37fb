"""Cases one after the other, each made from the seed and its number, until the time is over."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz.answer_cases import AnswerCases
from tests.fuzz.finding import Finding, Late
from tests.fuzz.request_cases import RequestCases
from tests.fuzz.target import serving

PROTOCOLS = ("plugin", "front", "supervisor")
ROUND = 50
"""So many requests, then half as many answers."""


@dataclass
class Tally:
    """How many cases there were of each kind."""

    requests: int = 0
    answers: int = 0


def fuzz(
    protocol: str,
    seed: int,
    *,
    deadline_s: float,
    seconds: float = math.inf,
    cases: float = math.inf,
    first: int = 0,
) -> Tally:
    """Fuzz a protocol for so long, or for so many cases from `first` on. Raises `Finding`, which
    names the case.

    `deadline_s` is what a sound request after each case gets, and what a client may be late.
    """
    until, last = time.monotonic() + seconds, first + cases
    with (
        _home() as home,
        serving(protocol, home) as target,
        AnswerCases(protocol, home, deadline_s) as answers,
    ):
        requests = RequestCases(protocol, target, deadline_s)
        number = first
        while number < last and time.monotonic() < until:
            run = answers.run if number % (ROUND * 3 // 2) >= ROUND else requests.run
            _run(run, protocol, seed, number)
            number += 1
        _run(lambda _: requests.look(), protocol, seed, number)
        return Tally(requests.cases, answers.cases)


def _run(case: Callable[[Random], None], protocol: str, seed: int, number: int) -> None:
    made_from = f"{protocol} {seed} {number}"
    try:
        try:
            case(Random(made_from))
        except Late:
            case(Random(made_from))
    except Finding as finding:
        again = f"python -m tests.fuzz --protocol {protocol} --seed {seed}"
        text = f"{protocol}, case {number}: {finding}\nAgain: {again}, alone with --first {number}"
        raise Finding(text) from finding


@contextmanager
def _home() -> Iterator[Path]:
    """A directory for the sockets; short, as their paths may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{os.getpid()}-") as name:
        yield Path(name)
