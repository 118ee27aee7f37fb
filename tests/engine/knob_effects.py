"""Turning a knob of the real engine, and what its metrics page says of the effect."""

from __future__ import annotations

import random
from typing import Any

from engines.control.knobs import read_knobs, set_knob
from store.records import KnobState
from tests.engine.conftest import LiveEngine
from tests.waiting import wait_until

CACHED = ("vllm:prompt_tokens_cached_total", "vllm:prefix_cache_hits_total")
"""Prompt tokens that came from the cache; the second where a version has no first."""


def knob(engine: LiveEngine, name: str) -> KnobState:
    return next(state for state in read_knobs(engine.sockets) if state.name == name)


def turn(engine: LiveEngine, name: str, value: Any, **more: Any) -> None:
    change = set_knob(engine.sockets, name, value, who="tests", **more)
    assert change.outcome == "applied", change
    assert change.took_ms is not None


def cached_tokens(engine: LiveEngine) -> float:
    """Prompt tokens that came from the cache so far."""
    return next((count for count in map(engine.metric, CACHED) if count), 0.0)


def counted(engine: LiveEngine, load: Any, requests: int) -> tuple[float, float]:
    """Prompt tokens and cached ones of the next `requests` answers."""
    prompt_name = "vllm:prompt_tokens_total"
    prompt, cached, done = engine.metric(prompt_name), cached_tokens(engine), load.done
    wait_until(lambda: load.done >= done + requests)
    return engine.metric(prompt_name) - prompt, cached_tokens(engine) - cached


def mostly_cached(tokens: tuple[float, float]) -> bool:
    """Whether more than half of (prompt, cached) tokens came from the cache."""
    prompt, cached = tokens
    return cached > prompt / 2


def steps_of_a_long_prompt(engine: LiveEngine, tokens: int = 1800) -> float:
    """About how many steps a fresh prompt took: the tokens another request got meanwhile."""
    prompt = [random.randrange(100, 2000) for _ in range(tokens)]
    before = engine.metric("vllm:generation_tokens_total")
    engine.complete(prompt, 1)
    return engine.metric("vllm:generation_tokens_total") - before - 1
