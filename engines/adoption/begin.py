"""Putting an engine under a supervisor as planned, and following it to the end."""

from __future__ import annotations

import time
from collections.abc import Callable

from engines.adoption.listener import listener_of
from engines.adoption.plan import AdoptionPlan
from engines.serving import registry
from engines.serving.name_lock import adoption_lock
from engines.supervisor.start import start_keeper, why_not_begun
from engines.supervisor.states.state import Serving
from engines.supervisor.takeover.beginning import Beginning
from engines.supervisor.takeover.restart import AdoptionOrder
from engines.supervisor_client.adoption_report import AdoptionReport
from engines.supervisor_client.client import BEGIN_S, acknowledge, status
from store.reports.outcomes import DONE, RUNNING

_POLL_S = 0.1


def begin(
    plan: AdoptionPlan, *, drain_s: float, start_s: float, on_step: Callable[[str, str], None]
) -> AdoptionReport:
    """Do it and follow it to the end.

    It goes on by itself when we are interrupted. Raises `NotAchieved` where the supervisor did not
    begin or was lost.
    """
    if not plan.restarts:
        return _as_it_runs(plan)
    origin = plan.origin
    order = AdoptionOrder(
        origin.pid,
        origin.start_ticks,
        origin.environ,
        origin.conditions,
        plan.held,
        drain_s,
        start_s,
    )
    beginning = Beginning(origin.conditions, order=order)
    with adoption_lock(origin.pid, origin.start_ticks) as lock:
        keeper = start_keeper(plan.launch, beginning.to_line(), lock)
    steps_shown = 0
    silent_since = time.monotonic()
    while time.monotonic() - silent_since < BEGIN_S:
        supervisor = status(plan.launch.name)
        report = None if supervisor is None else supervisor.adoption
        if report is None:
            if supervisor is None and keeper.poll() is not None:
                break
            if supervisor is not None and supervisor.state == Serving.words:
                # Told by a supervisor that followed one which was killed at the very end.
                return _done(plan, supervisor.pid, "beside")
            time.sleep(_POLL_S)
            continue
        silent_since = time.monotonic()
        for line in report.steps[steps_shown:]:
            on_step(line.step, line.text)
        steps_shown = len(report.steps)
        if report.outcome != RUNNING:
            acknowledge(plan.launch.name)
            return report
        time.sleep(_POLL_S)
    raise why_not_begun(plan.launch.name)


def _as_it_runs(plan: AdoptionPlan) -> AdoptionReport:
    """Give its address to a new keeper, which finds it by its name."""
    assert plan.serving is not None
    name = plan.launch.name
    with listener_of(plan.serving, plan.held) as listener:
        if name != plan.serving.name:
            registry.rename(plan.serving.name, name)
        beginning = Beginning(plan.origin.conditions, descriptor=listener.fileno())
        keeper = start_keeper(plan.launch, beginning.to_line(), listener.fileno())
    until = time.monotonic() + BEGIN_S
    while time.monotonic() < until and keeper.poll() is None:
        supervisor = status(name)
        if supervisor is not None and supervisor.pid == plan.serving.pid:
            return _done(plan, plan.serving.pid, "as it runs")
        time.sleep(_POLL_S)
    raise why_not_begun(name)


def _done(plan: AdoptionPlan, pid: int | None, way: str) -> AdoptionReport:
    return AdoptionReport(plan.launch.name, plan.launch.url, way, DONE, pid=pid)
