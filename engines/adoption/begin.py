"""Putting an engine under a supervisor as planned, and following it to the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from engines.adoption.listener import listener_of
from engines.adoption.plan import AdoptionPlan
from engines.supervision.client import BEGIN_S, status
from engines.supervisor.start import start_keeper, why_not_begun
from engines.supervisor.takeover.beginning import Beginning
from engines.supervisor.takeover.takeover import Takeover

_POLL_S = 0.1


def begin(
    plan: AdoptionPlan, *, drain_s: float, start_s: float, on_step: Callable[[str, str], None]
) -> dict[str, Any]:
    """Do it and follow; the result, with its `outcome` and the `pid` that serves.

    It goes on by itself when we are interrupted. Raises `NotAchieved` where the supervisor did not
    begin or was lost.
    """
    if not plan.restarts:
        return _as_it_runs(plan)
    origin = plan.origin
    takeover = Takeover(
        origin.pid,
        origin.start_ticks,
        origin.environ,
        origin.conditions,
        plan.held,
        drain_s,
        start_s,
    )
    keeper = start_keeper(plan.launch, Beginning(origin.conditions, takeover=takeover).to_line())
    shown = 0
    silent_since = time.monotonic()
    while time.monotonic() - silent_since < BEGIN_S:
        found = status(plan.launch.name)
        told = (found or {}).get("adoption")
        if not isinstance(told, dict):
            if found is None and keeper.poll() is not None:
                break
            if found is not None and found["state"] == "serving":
                # Told by a supervisor that followed one which was killed at the very end.
                return _result(plan, found["pid"], "beside")
            time.sleep(_POLL_S)
            continue
        silent_since = time.monotonic()
        for step in told["steps"][shown:]:
            on_step(str(step["step"]), str(step["text"]))
        shown = len(told["steps"])
        if told["outcome"] != "running":
            return {"name": plan.launch.name, "url": plan.launch.url, **told}
        time.sleep(_POLL_S)
    raise why_not_begun(plan.launch.name)


def _as_it_runs(plan: AdoptionPlan) -> dict[str, Any]:
    """Give its address to a new keeper, which finds it by its name."""
    assert plan.serving is not None
    name = plan.launch.name
    with listener_of(plan.serving, plan.held) as listener:
        beginning = Beginning(plan.origin.conditions, descriptor=listener.fileno())
        keeper = start_keeper(plan.launch, beginning.to_line(), listener.fileno())
    until = time.monotonic() + BEGIN_S
    while time.monotonic() < until and keeper.poll() is None:
        found = status(name)
        if found is not None and found["pid"] == plan.serving.pid:
            return _result(plan, plan.serving.pid, "as it runs")
        time.sleep(_POLL_S)
    raise why_not_begun(name)


def _result(plan: AdoptionPlan, pid: int | None, way: str) -> dict[str, Any]:
    return {
        "name": plan.launch.name,
        "url": plan.launch.url,
        "pid": pid,
        "outcome": "done",
        "reason": "",
        "way": way,
        "cut": 0,
        "waited_s": 0.0,
        "steps": [],
    }
