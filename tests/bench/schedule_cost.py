"""Run by the engine's own Python: what the plugin adds to a real `schedule()`. Prints JSON.

A vLLM engine in this process generates for 32 requests at once; each of its `schedule()` calls is
timed. What the plugin adds is timed apart, over a method that does nothing, because it is far less
than the scatter of `schedule()` itself.

usage: python schedule_cost.py MODEL_DIRECTORY
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

CALLS = 200_000
REQUESTS = 32
TOKENS = 150


def main() -> None:
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    durations = real_steps(sys.argv[1])
    result = {
        "schedule_ns": statistics.median(durations),
        "steps": len(durations),
        "running": REQUESTS,
        "guarded_ns": added_ns(None),
        "guarded_with_cap_ns": added_ns(old_cap()),
    }
    print(json.dumps(result))


def real_steps(model: str) -> list[int]:
    """Nanoseconds of each schedule() in which all requests run, without the plugin's part."""
    from vllm import LLM, SamplingParams

    llm = LLM(model, enforce_eager=True, max_model_len=2048, max_num_seqs=REQUESTS, dtype="half")
    core: Any = llm.llm_engine.engine_core
    scheduler = core.engine_core.scheduler
    assert hasattr(scheduler.schedule, "__wrapped__"), "the plugin is not loaded"
    bare = scheduler.schedule.__wrapped__
    durations: list[int] = []

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter_ns()
        output = bare(*args, **kwargs)
        took = time.perf_counter_ns() - began
        if len(scheduler.running) == REQUESTS:
            durations.append(took)
        return output

    scheduler.schedule = timed
    sampling = SamplingParams(max_tokens=TOKENS, ignore_eos=True)
    llm.generate([f"question {number}" for number in range(REQUESTS)], sampling, use_tqdm=False)
    return durations


def old_cap() -> Any:
    """What versions without an admission cap of their own do ahead of each step."""
    from trimtab_inside.live_knobs.knobs import RunningCap

    return RunningCap(SimpleNamespace(max_num_running_reqs=REQUESTS, running=[])).clamp


def added_ns(prepare: Any) -> float:
    """Nanoseconds per call that the guard adds, the least of several runs."""
    from trimtab_inside.live_knobs.hooks import guard

    class Nothing:
        def schedule(self, throttle_prefills: bool = False) -> None:
            pass

    bare, guarded = Nothing(), Nothing()
    guard(guarded, "schedule", threading.RLock(), [] if prepare is None else [prepare])
    return min(_loop(guarded.schedule) - _loop(bare.schedule) for _ in range(7))


def _loop(method: Any) -> float:
    began = time.perf_counter_ns()
    for _ in range(CALLS):
        method(False)
    return (time.perf_counter_ns() - began) / CALLS


if __name__ == "__main__":
    main()
