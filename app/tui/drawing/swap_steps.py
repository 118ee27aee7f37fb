"""The steps of a swap as they are shown: done, now, next, or failed; from its row alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.tui.drawing.lines import outside
from store.reports.outcomes import DONE, RUNNING
from store.reports.step_line import StepLine
from store.reports.swap import ROLLED_BACK, SwapReport

State = Literal["done", "now", "next", "failed"]

_OVERLAP = ("plan", "check", "measure", "start", "verify", "take over", "drain")
_STOP_START = ("plan", "check", "measure", "drain", "start", "verify", "take over")
WORDS = {
    "plan": "files there, memory suffices",
    "check": "vLLM takes the arguments",
    "measure": "the quality of the old engine",
    "drain": "the old engine finishes what it has",
    "start": "the new engine loads, taking nothing yet",
    "verify": "it answers, something changed, it is as good",
    "take over": "the new engine takes connections",
    "roll back": "the old engine serves again",
}
SILENT_S = 900.0
"""Without a step for so long a swap that runs has probably lost its supervisor."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step: when it began and how long it took so far, in seconds (None before it begins), and
    the last that was said in it."""

    name: str
    state: State
    began_s: float | None = None
    took_s: float | None = None
    text: str = ""


def elapsed_s(swap: SwapReport, now_ms: int) -> float:
    """Seconds from the order to now, or to the end."""
    return swap.took_s if swap.took_s is not None else max(0.0, (now_ms - swap.ts_ms) / 1000)


def steps_of(swap: SwapReport, elapsed: float) -> list[Step]:
    """Every step in its order: those that were, the one that is, and those to come if it runs."""
    lines = _said(swap)
    begun: list[StepLine] = []
    for line in lines:
        if begun and begun[-1].step == line.step:
            begun[-1] = StepLine(begun[-1].at_s, line.step, line.text)
        else:
            begun.append(line)
    over = swap.outcome != RUNNING
    shown: list[Step] = []
    for number, line in enumerate(begun):
        last = number == len(begun) - 1
        until = elapsed if last else begun[number + 1].at_s
        state: State = "now" if last and not over else "done"
        shown.append(Step(line.step, state, line.at_s, max(0.0, until - line.at_s), line.text))
    if swap.outcome == ROLLED_BACK:
        return _with_failure(shown)
    if over or any(step.name == "roll back" for step in shown):
        return shown
    order = _STOP_START if swap.strategy == "stop-start" else _OVERLAP
    return shown + [Step(name, "next") for name in order[_reached(shown, order) :]]


def phase(swap: SwapReport) -> str:
    """What it does now: start: loading weights."""
    lines = _said(swap)
    if not lines:
        return "begins"
    last = lines[-1]
    if last.step == "start" and not last.text.startswith("process "):
        return f"{last.step}: {last.text}"
    return last.step


def starting(swap: SwapReport) -> bool:
    """Whether the new engine is being started now."""
    lines = _said(swap)
    return bool(lines) and lines[-1].step == "start"


def start_began(swap: SwapReport) -> float | None:
    """The second of the swap at which the new engine was started; None before."""
    return next((line.at_s for line in _said(swap) if line.step == "start"), None)


def waiting_s(swap: SwapReport, elapsed: float) -> float | None:
    """How long new connections have been waiting in a swap that runs; None while none wait."""
    lines = _said(swap)
    closed = next((line.at_s for line in lines if line.step == "drain"), None)
    if swap.strategy != "stop-start" or closed is None:
        return None
    if any(line.step == "take over" for line in lines):
        return None
    return max(0.0, elapsed - closed)


def silent_s(swap: SwapReport, elapsed: float) -> float | None:
    """For how long a running swap has said nothing, where that is too long to be trusted."""
    lines = _said(swap)
    silent = elapsed - (lines[-1].at_s if lines else 0.0)
    return silent if silent > SILENT_S else None


def phases(swap: SwapReport) -> list[tuple[str, float]]:
    """What the new engine's log has told so far, each with its second since the start began."""
    if swap.start is None:
        return []
    return [(outside(name, 60), at_s) for name, at_s in swap.start.phases.items()]


def _with_failure(shown: Sequence[Step]) -> list[Step]:
    """The step that failed is the last one before the way back."""
    steps = list(shown)
    ways = [n for n, step in enumerate(steps) if step.name == "roll back"]
    failed = (ways[0] if ways else len(steps)) - 1
    if failed >= 0:
        one = steps[failed]
        steps[failed] = Step(one.name, "failed", one.began_s, one.took_s, one.text)
    return steps


def _reached(shown: Sequence[Step], order: Sequence[str]) -> int:
    """How many steps of the order lie behind or under way."""
    names = [step.name for step in shown]
    return max((order.index(name) + 1 for name in names if name in order), default=0)


def _said(swap: SwapReport) -> list[StepLine]:
    """The lines of the report, without the last one that only repeats the outcome."""
    return [
        StepLine(line.at_s, line.step, outside(line.text, 400))
        for line in swap.steps
        if line.step not in (DONE, ROLLED_BACK)
    ]
