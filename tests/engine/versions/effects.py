"""What turning each knob must do, by what it is measured, and in which words it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.engine.command import Trimtab
from tests.engine.knob_effects import steps_of_a_long_prompt

SETTLED_S = 3.0
WATCHED_S = 10.0


@dataclass(frozen=True)
class Effect:
    """A knob turned to `value` under `clients` that ask for `tokens` each: `measure` gives a
    figure, `holds(before, turned)` says whether the effect is there, `tells` the figure's words."""

    value: bool | int
    clients: int
    tokens: int
    measure: Callable[[Trimtab], float]
    holds: Callable[[float, float], bool]
    what: str
    tells: Callable[[float], str]

    def words(self, *figures: float) -> str:
        """The figures one after the other."""
        return f"{self.what} {' → '.join(map(self.tells, figures))}"


def shown(metric: str) -> Callable[[Trimtab], float]:
    """What `trimtab show` says of a metric once the last change has settled."""

    def measure(trimtab: Trimtab) -> float:
        time.sleep(SETTLED_S + WATCHED_S)
        told = trimtab("show", "--last", f"{WATCHED_S:g}s")
        assert told[metric] is not None, told["reasons"]
        return float(told[metric])

    return measure


def _steps(trimtab: Trimtab) -> float:
    return max(steps_of_a_long_prompt(trimtab.engine) for _ in range(3))


def _cuts(value: int) -> Effect:
    return Effect(
        value,
        clients=1,
        tokens=400,
        measure=_steps,
        holds=lambda before, turned: turned > before + 1800 / value / 2,
        what="steps of a prompt of 1,800 tokens",
        tells=lambda steps: f"{steps + 1:.0f}",
    )


EFFECTS: Mapping[str, Effect] = {
    "enable_prefix_caching": Effect(
        False,
        clients=8,
        tokens=8,
        measure=shown("cache_hit_rate"),
        holds=lambda before, turned: before > 0.5 and turned == 0,
        what="cache hit rate",
        tells=lambda share: f"{share:.0%}",
    ),
    "max_num_seqs": Effect(
        2,
        clients=8,
        tokens=64,
        measure=shown("running_mean"),
        holds=lambda before, turned: before > 3 and turned <= 2,
        what="running on average",
        tells=lambda count: f"{count:.1f}",
    ),
    "max_num_batched_tokens": _cuts(64),
    "long_prefill_token_threshold": _cuts(64),
}
"""By knob, within the bounds of the tests' engine. A long prompt is cut while another request runs,
which gets a token for each step."""
