"""What turning each knob must do, by what it is measured, and in which words it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.engine.command import Trimtab
from tests.engine.conftest import Load
from tests.engine.knob_effects import steps_of_a_long_prompt
from tests.waiting import wait_until

SETTLED_S = 3.0
WATCHED_S = 8.0
ANSWERS = 16
"""How many answers a figure rests on at least: a busy machine gives few in a few seconds."""

LONGEST_S = 120.0

Figure = float | None
Measure = Callable[[Trimtab, Load], Figure]


@dataclass(frozen=True)
class Effect:
    """A knob turned to `value` under `clients` that ask for `tokens` each.

    `measure` gives a figure, read from the ledger if `recorded`; `holds(before, turned)` says
    whether the effect is there; `what` and `form` are the figure's words.
    """

    value: bool | int
    clients: int
    tokens: int
    measure: Measure
    holds: Callable[[Figure, Figure], bool]
    what: str
    form: str
    recorded: bool = False

    def words(self, *figures: Figure) -> str:
        """The figures one after the other; – is unknown."""
        told = ["–" if figure is None else format(figure, self.form) for figure in figures]
        return f"{self.what} {' → '.join(told)}"


def shown(metric: str) -> Measure:
    """What `trimtab show` says of a metric once the last change has settled."""

    def measure(trimtab: Trimtab, load: Load) -> Figure:
        time.sleep(SETTLED_S)
        began, done = time.monotonic(), load.done
        time.sleep(WATCHED_S)
        wait_until(lambda: load.done >= done + ANSWERS, LONGEST_S)
        told = trimtab("show", "--last", f"{time.monotonic() - began:.0f}s")
        value: Figure = told[metric]
        assert value is not None or told["reasons"][metric]
        return value

    return measure


def _steps(trimtab: Trimtab, load: Load) -> Figure:
    """The fewest of some: what passes between a prompt and its count adds to them."""
    del load
    return 1 + min(steps_of_a_long_prompt(trimtab.engine) for _ in range(4))


def _caching_is_off(on: Figure, off: Figure) -> bool:
    """Where only look-ups are counted and none is made, their share is unknown."""
    return (on or 0) > 0.5 and not off


def _fewer_run(before: Figure, turned: Figure) -> bool:
    """The mean may count the end of what ran before the change; and an API server that is short of
    CPU answers between two batches, when nothing runs."""
    return (turned or 0) < 2.2 < (before or 0)


def _cuts(value: int) -> Effect:
    least = 1800 // value

    def holds(before: Figure, turned: Figure) -> bool:
        return (turned or 0) >= max(least, 2 * (before or 0))

    return Effect(
        value, clients=1, tokens=400, measure=_steps, holds=holds, what=_LONG_PROMPT, form=".0f"
    )


_LONG_PROMPT = "steps of a prompt of 1,800 tokens"

EFFECTS: Mapping[str, Effect] = {
    "enable_prefix_caching": Effect(
        False,
        clients=8,
        tokens=8,
        measure=shown("cache_hit_rate"),
        holds=_caching_is_off,
        what="cache hit rate",
        form=".0%",
        recorded=True,
    ),
    "max_num_seqs": Effect(
        2,
        clients=8,
        tokens=200,
        measure=shown("running_mean"),
        holds=_fewer_run,
        what="running on average",
        form=".1f",
        recorded=True,
    ),
    "max_num_batched_tokens": _cuts(64),
    "long_prefill_token_threshold": _cuts(64),
}
"""By knob, within the bounds of the tests' engine. A long prompt is cut while another request runs,
which gets a token for each step."""
