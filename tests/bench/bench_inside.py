"""The plugin's cost per `schedule()`, and how long a value takes from received to applied.

usage: python -m tests.bench.bench_inside [URL]    (URL: an engine under load, for the second part)
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from engines.control.inside_path import plugin_environment
from engines.control.knobs import read_knobs, set_knob
from engines.discovery.find import probe
from engines.provision import find_environment

COST_AIM_PERCENT = 0.5
APPLIED_AIM_MS = 50.0
CHANGES = 100


def schedule_cost() -> dict[str, Any]:
    """`schedule_ns` of a real engine, `guarded_ns` that the plugin adds, `percent` of the first."""
    environment = find_environment()
    if environment is None:
        raise SystemExit("there is no engine environment: run `trimtab provision`")
    script = Path(__file__).with_name("schedule_cost.py")
    ran = subprocess.run(
        [environment.python, script, environment.models["tiny"]],
        env={
            **os.environ,
            **plugin_environment(os.environ),
            "HF_HUB_OFFLINE": "1",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    cost: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    for name in ("guarded", "guarded_with_cap"):
        cost[f"{name}_percent"] = 100 * cost[f"{name}_ns"] / cost["schedule_ns"]
    return cost


def applied_ms(sockets: tuple[Path, ...]) -> dict[str, float]:
    """Of many small changes on a live engine: ms inside the engine, and ms that the asker waits."""
    seqs = next(state for state in read_knobs(sockets) if state.name == "max_num_seqs")
    assert seqs.maximum is not None
    inside, outside = [], []
    for number in range(CHANGES):
        began = time.perf_counter()
        change = set_knob(sockets, seqs.name, seqs.maximum - number % 2, who="bench")
        outside.append((time.perf_counter() - began) * 1000)
        inside.append(change.took_ms or 0.0)
        time.sleep(0.05)
    set_knob(sockets, seqs.name, seqs.maximum, who="bench")
    told = {}
    for name, times in (("inside", inside), ("outside", outside)):
        told[f"{name}_p50"] = statistics.median(times)
        told[f"{name}_p95"] = statistics.quantiles(times, n=20)[-1]
        told[f"{name}_max"] = max(times)
    return told


def main() -> None:
    cost = schedule_cost()
    print(f"schedule() with {cost['running']} running: {cost['schedule_ns'] / 1000:.0f} µs")
    for name, what in (("guarded", "vLLM 0.31+"), ("guarded_with_cap", "older vLLM")):
        ns, percent = cost[f"{name}_ns"], cost[f"{name}_percent"]
        print(f"the plugin adds, {what}: {ns:.0f} ns = {percent:.2f} % (aim {COST_AIM_PERCENT} %)")
    for url in sys.argv[1:]:
        took = applied_ms(probe(url).sockets)
        for where, what in (("inside", "received to applied"), ("outside", "asked to answered")):
            p50, p95, most = (took[f"{where}_{part}"] for part in ("p50", "p95", "max"))
            print(
                f"{what}: {p50:.2f} ms median, {p95:.2f} p95, {most:.2f} most"
                f" (aim {APPLIED_AIM_MS:.0f} typical)"
            )


if __name__ == "__main__":
    main()
