"""Fakes at the screen's outer edge, and waiting for what it shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from textual.pilot import Pilot

from app.offers.offer import Offers, Wanted
from app.tui.app import TrimtabApp
from app.tui.canvases.canvas import Canvas
from app.tui.screens.main.screen import MainScreen
from store.errors import NotAchieved, TrimtabError
from store.records import Change, KnobValue, RunRow
from tests.ui.seed import NOW_MS
from tests.ui.seed_swaps import OFFERS
from tests.waiting import PATIENCE_S


@dataclass
class RecordingActions:
    """Keeps what is asked for. `answer` makes the outcome; `gate` (`swap_gate` for a swap) holds an
    act until it is set.
    `offered` is what can be swapped to, or why that cannot be told; `refusal` refuses a swap;
    `swapped` says that the last thing done is a swap; `offers_told` counts the answers."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    answer: Callable[[str, KnobValue], Change] | None = None
    gate: threading.Event | None = None
    offered: Offers | TrimtabError = OFFERS
    refusal: TrimtabError | None = None
    swapped: bool = False
    swap_gate: threading.Event | None = None
    offers_told: int = 0

    def set_knob(self, shown: RunRow, knob: str, value: KnobValue) -> Change:
        self.asked.append(("set", shown.info.url, knob, value))
        if self.gate is not None:
            self.gate.wait(PATIENCE_S)
        return (self.answer or applied)(knob, value)

    def undo(self, shown: RunRow) -> list[Change] | None:
        self.asked.append(("undo", shown.info.url))
        if self.swapped:
            return None
        raise NotAchieved("There is nothing to take back")

    def mark(self, engine_url: str, name: str, from_ms: int, to_ms: int) -> None:
        self.asked.append(("mark", engine_url, name, from_ms, to_ms))

    def offers(self, engine_url: str) -> Offers:
        if self.gate is not None:
            self.gate.wait(PATIENCE_S)
        self.offers_told += 1
        if isinstance(self.offered, TrimtabError):
            raise self.offered
        return self.offered

    def swap(self, engine_url: str, wanted: Wanted) -> None:
        self.asked.append(("swap", engine_url, wanted))
        if self.swap_gate is not None:
            self.swap_gate.wait(PATIENCE_S)
        if self.refusal is not None:
            raise self.refusal

    def call_off(self, engine_url: str) -> None:
        self.asked.append(("call off", engine_url))


def applied(knob: str, value: KnobValue) -> Change:
    """A change that took effect in 1.8 ms."""
    return Change("new", NOW_MS, knob, None, value, "applied", "set", "ada", took_ms=1.8)


def refused(knob: str, value: KnobValue) -> Change:
    """A change the engine refused."""
    return Change(
        "new", NOW_MS, knob, None, value, "refused", "set", "ada", reason="the engine drains"
    )


def engine_screen(app: TrimtabApp) -> MainScreen:
    """The screen under any dialog."""
    return next(screen for screen in app.screen_stack if isinstance(screen, MainScreen))


async def until(pilot: Pilot[None], holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds; fails naming it when it does not come."""
    late = time.monotonic() + PATIENCE_S
    while time.monotonic() < late:
        if holds():
            await pilot.pause()
            return
        await pilot.pause(0.05)
    raise AssertionError(f"waited in vain until {what}\n{shown(pilot)}")


async def loaded(pilot: Pilot[None]) -> None:
    """Wait for a frame with its charts (or without an engine)."""
    app = pilot.app
    assert isinstance(app, TrimtabApp)

    def complete() -> bool:
        frame = engine_screen(app).frame
        return frame is not None and (frame.engine is None or frame.series is not None)

    await until(pilot, complete, "a frame was drawn")
    await pilot.pause(0.1)


def shown(pilot: Pilot[None], selector: str = "Canvas") -> str:
    """The text of the canvases that match, as they would be drawn."""
    texts: list[str] = []
    for screen in pilot.app.screen_stack:
        for canvas in screen.query(selector).results(Canvas):
            if canvas.display and canvas.size:
                rows = range(canvas.size.height)
                texts += [canvas.render_line(row).text.rstrip() for row in rows]
    return "\n".join(texts)
