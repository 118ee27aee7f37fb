"""Prompts that begin alike and then differ, as those of one product do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import count
from random import Random

from engines.provision.environment import RUNBOOK

_FORMS = (
    "Question {n}: {a} or {b}, which matters more for {c}?",
    "Ticket {n}. A colleague from {a} asks about {b}: what does {c} have to do with it?",
    "Please explain {a} in terms of {b} and {c}. Reference {n}.",
    "{n}: summarise what we know about {a}, {b} and {c}, for somebody new.",
    "Since this morning {a} looks odd and {b} grows. Is {c} the cause? Case {n}.",
)
LONGEST_QUESTION = 160
"""Tokens that a question may need, with a poor tokenizer."""

_HEADER = "You are case handler {seed}. Follow the runbook.\n\n"


@cache
def words() -> tuple[str, ...]:
    """The words of the runbook, in order."""
    return tuple(RUNBOOK.read_text("utf-8").split())


def system_prompt(length: int, seed: int) -> str:
    """`length` words, the same in every request of one load; another seed gives other words."""
    if length <= 0:
        return ""
    text = words()
    begin = Random(seed).randrange(len(text))  # noqa: S311 - a load, not a secret
    chosen_words = (text[(begin + offset) % len(text)] for offset in range(length))
    return _HEADER.format(seed=seed) + " ".join(chosen_words)


def questions(seed: int) -> Iterator[str]:
    """Questions without end, all different, from 10 to 40 words."""
    random = Random(seed)  # noqa: S311 - a load, not a secret
    text = words()
    for number in count(1):
        a, b, c = (random.choice(text).strip(".,;:\"'") for _ in range(3))
        question = random.choice(_FORMS).format(n=f"{seed}-{number}", a=a, b=b, c=c)
        begin = random.randrange(len(text) - 20)
        quotation = " ".join(text[begin : begin + random.randrange(20)])
        yield f"\n\nUser: {question} {quotation}\nAssistant:"
