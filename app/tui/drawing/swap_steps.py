"""The steps of a swap as they are shown: done, now, next, or failed; from its row alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from app.tui.drawing.lines import outside

if TYPE_CHECKING:
    from store.tables.swaps import SwapRow

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


@dataclass(frozen=True, slots=True)
class _Said:
    name: str
    at_s: float
    text: str


def elapsed_s(swap: SwapRow, now_ms: int) -> float:
    """Seconds from the order to now, or to the end."""
    return swap.took_s if swap.took_s is not None else max(0.0, (now_ms - swap.ts_ms) / 1000)


def steps_of(swap: SwapRow, elapsed: float) -> list[Step]:
    """Every step in its order: those that were, the one that is, and those to come if it runs."""
    said = _said(swap)
    begun: list[_Said] = []
    for line in said:
        if begun and begun[-1].name == line.name:
            begun[-1] = _Said(line.name, begun[-1].at_s, line.text)
        else:
            begun.append(line)
    over = swap.outcome != "running"
    shown: list[Step] = []
    for number, step in enumerate(begun):
        last = number == len(begun) - 1
        until = elapsed if last else begun[number + 1].at_s
        state: State = "now" if last and not over else "done"
        shown.append(Step(step.name, state, step.at_s, max(0.0, until - step.at_s), step.text))
    if swap.outcome == "rolled back":
        return _with_failure(shown)
    if over or any(step.name == "roll back" for step in begun):
        return shown
    order = _STOP_START if swap.strategy == "stop-start" else _OVERLAP
    return shown + [Step(name, "next") for name in order[_reached(shown, order) :]]


def phase(swap: SwapRow) -> str:
    """What it does now: start: loading weights."""
    said = _said(swap)
    if not said:
        return "begins"
    last = said[-1]
    if last.name == "start" and not last.text.startswith("process "):
        return f"{last.name}: {last.text}"
    return last.name


def starting(swap: SwapRow) -> bool:
    """Whether the new engine is being started now."""
    said = _said(swap)
    return bool(said) and said[-1].name == "start"


def start_began(swap: SwapRow) -> float | None:
    """The second of the swap at which the new engine was started; None before."""
    return next((line.at_s for line in _said(swap) if line.name == "start"), None)


def waiting_s(swap: SwapRow, elapsed: float) -> float | None:
    """How long new connections have been waiting in a swap that runs; None while none wait."""
    said = _said(swap)
    closed = next((line.at_s for line in said if line.name == "drain"), None)
    if swap.strategy != "stop-start" or closed is None:
        return None
    if any(line.name == "take over" for line in said):
        return None
    return max(0.0, elapsed - closed)


def silent_s(swap: SwapRow, elapsed: float) -> float | None:
    """For how long a running swap has said nothing, where that is too long to be trusted."""
    said = _said(swap)
    silent = elapsed - (said[-1].at_s if said else 0.0)
    return silent if silent > SILENT_S else None


def phases(swap: SwapRow) -> list[tuple[str, float]]:
    """What the new engine's log has told so far, each with its second since the start began."""
    start = swap.evidence.get("start")
    told = start.get("phases") if isinstance(start, Mapping) else None
    if not isinstance(told, Mapping):
        return []
    return [
        (outside(str(name), 60), float(at_s)) for name, at_s in told.items() if _is_number(at_s)
    ]


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


def _said(swap: SwapRow) -> list[_Said]:
    """The lines of the row, without the last one that only repeats the outcome."""
    lines = swap.evidence.get("steps")
    told = [
        _Said(str(line["step"]), float(line["at_s"]), outside(str(line.get("text", "")), 400))
        for line in (lines if isinstance(lines, list) else ())
        if isinstance(line, Mapping) and "step" in line and _is_number(line.get("at_s"))
    ]
    return [line for line in told if line.name not in ("done", "rolled back")]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
