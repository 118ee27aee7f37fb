"""The main screen, which opens the others: an engine as it is, its knobs, what turning one did.

Dialogs are imported when they are asked for: the first figures should not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from app.tui.acting.act_maker import ActMaker
from app.tui.acting.messages import Acted, KnobChosen
from app.tui.drawing.lines import outside
from app.tui.feed.chart_specs import CHARTS
from app.tui.feed.comparing import Compared
from app.tui.feed.frame import RANGES, Frame, Query
from app.tui.keys.key import bindings_of
from app.tui.keys.main_screen import MAIN_KEYS
from app.tui.screens.common.frame_screen import FrameScreen
from app.tui.widgets.banner import Banner
from app.tui.widgets.card_list import CardList
from app.tui.widgets.chart import Chart
from app.tui.widgets.event_log import EventLog
from app.tui.widgets.header import Header
from app.tui.widgets.hints import Hints
from app.tui.widgets.impact_strip import Act, ImpactStrip
from app.tui.widgets.knob_list import KnobList
from app.tui.widgets.notice import Notice
from app.tui.widgets.tiles import Tiles
from store.errors import TrimtabError
from store.knobs.specs import label
from store.records import KnobState

_ACT_STAYS_MS = 6_000


class MainScreen(FrameScreen):
    """Draws frames; turns keys into acts."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(MAIN_KEYS)

    def __init__(self, acts: ActMaker, ask: Callable[[Query], None], query: Query) -> None:
        super().__init__()
        self._acts = acts
        self._ask = ask
        self._query = query
        self._frame: Frame | None = None
        self._frozen: Frame | None = None
        self._view = 0
        self._act: Act | None = None
        self._act_engine: int | None = None
        self._act_since_ms = 0

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        self.measure()
        yield Header()
        yield Banner()
        yield Tiles()
        yield CardList()
        with Container(id="charts"):
            for spec in CHARTS:
                yield Chart(spec)
        yield EventLog("log-full")
        with Container(id="bottom"):
            yield KnobList()
            yield ImpactStrip()
            yield EventLog("log")
        yield Notice()
        yield Hints()

    @property
    def frame(self) -> Frame | None:
        """The newest frame; while the view is frozen not the one that is drawn."""
        return self._frame

    # Frames

    def on_mount(self) -> None:
        """Draw what came while the widgets were made."""
        self.draw_again()

    def show(self, frame: Frame) -> None:
        """Take a new frame; draw it unless the view is frozen or not there yet."""
        self._frame = frame
        if not self.drawable:
            return
        if self._frozen is None:
            self._draw(frame)
        elif self._act is not None:
            self.query_one(ImpactStrip).show(self._frozen, self._current_act(frame))

    def _draw(self, frame: Frame) -> None:
        self.set_class(frame.engine is None, "-empty")
        self.query_one(Header).show(frame, paused=self._frozen is not None)
        self.query_one(Banner).show(frame)
        self.query_one(Tiles).show(frame)
        self.set_class(bool(frame.cards), "-cards")
        self.query_one(CardList).show(frame)
        for chart in self.query(Chart):
            chart.show(frame)
        self.query_one(KnobList).show(frame)
        self.query_one(ImpactStrip).show(frame, self._current_act(frame))
        for log in self.query(EventLog):
            log.show(frame)
        self.query_one(Notice).show(frame)

    def _current_act(self, frame: Frame) -> Act | None:
        act = self._act
        if _engine_id(frame) != self._act_engine:
            return None
        over = frame.now_ms - self._act_since_ms > _ACT_STAYS_MS
        if act is not None and act.phase != "requested" and over:
            self._act = None
        return self._act

    def draw_again(self) -> None:
        """Draw the frame that is shown, also where it came while another screen was on top."""
        shown = self._frozen or self._frame
        if shown is not None:
            self._draw(shown)

    # Acts

    @on(Acted)
    def _see_outcome(self, event: Acted) -> None:
        if event.phase != "requested":
            self._ask(self._query)

    def tell_act(self, acted: Acted) -> None:
        """In the impact strip."""
        self._act = Act(acted.phase, acted.text)
        frame = self._frozen or self._frame
        if acted.phase == "requested" or self._act_engine is None:
            self._act_engine = _engine_id(frame)
        if self._frame is not None:
            self._act_since_ms = self._frame.now_ms
        if frame is not None:
            self.query_one(ImpactStrip).show(frame, self._act)

    def _turnable(self, name: str) -> KnobState | None:
        """The knob, where it can be turned live now; else None, and the reason is told."""
        frame = self._frame
        if frame is None or frame.engine is None or frame.run is None:
            self._refuse("There is no engine to change yet")
            return None
        knob = frame.knob(name)
        reason = outside((knob.reason if knob else frame.run.info.reason), 160)
        because = f": {reason}" if reason else ""
        if knob is None:
            self._refuse(f"This engine does not offer {label(name)}{because}")
        elif knob.kind != "live":
            self.action_swap()
        elif frame.engine.state == "gone":
            self._refuse(f"The engine has ended; {label(name)} stays as it is")
        else:
            return knob
        return None

    def _refuse(self, why: str) -> None:
        """Say why a key does nothing: in the strip, or over the screen where there is none."""
        if self._frame is None or self._frame.engine is None:
            self.notify(why, severity="warning", markup=False)
        else:
            self.tell_act(Acted("failed", why))

    def action_switch(self, name: str) -> None:
        """Turn an on/off knob at once: it is live and can be taken back."""
        knob = self._turnable(name)
        if knob is None:
            return
        if knob.value is None:
            self._refuse(f"The value of {label(name)} is not known yet")
            return
        request, work = self._acts.set_knob(self._frame, knob, not knob.value)
        self.start_act(request, work)

    def action_edit(self, name: str) -> None:
        """Ask for a number and set it."""
        if (knob := self._turnable(name)) is None:
            return

        def set_to(value: int | None) -> None:
            if value is not None:
                self.start_act(*self._acts.set_knob(self._frame, knob, value))

        from app.tui.dialogs.edit_knob import EditKnob

        self.app.push_screen(EditKnob(knob), set_to)

    @on(KnobChosen)
    def _knob_chosen(self, event: KnobChosen) -> None:
        knob = self._turnable(event.name)
        if knob is None:
            return
        if isinstance(knob.value, bool):
            self.action_switch(knob.name)
        else:
            self.action_edit(knob.name)

    def action_undo(self) -> None:
        """Take back the last change; what a swap is taken back by costs time, so ask."""
        frame = self._frame
        if frame is not None and frame.swapping is not None:
            self._open_swap(call_off=True)
        else:
            self._with_engine(partial(self._acts.undo, swapped=self._ask_back))

    def _ask_back(self) -> None:
        """From the thread of an undo: the last thing done is a swap."""
        self.app.call_from_thread(partial(self._open_swap, back=True))

    def action_swap(self) -> None:
        """Open the swap screen: the swap that runs, or the variants."""
        if self._frame is None or self._frame.engine is None:
            self._refuse("There is no engine to swap yet")
        else:
            self._open_swap()

    def _open_swap(self, *, back: bool = False, call_off: bool = False) -> None:
        from app.tui.screens.swap.screen import SwapScreen

        if self._frame is not None and self.is_current:
            self.app.push_screen(
                SwapScreen(self._acts, self._frame, self.post_message, back=back, call_off=call_off)
            )

    def action_mark(self) -> None:
        """Keep the recent window as a snapshot."""
        self._with_engine(self._acts.mark)

    def _with_engine(self, ask: Callable[[Frame], tuple[str, Callable[[], str]]]) -> None:
        if self._frame is None or self._frame.engine is None:
            self._refuse("There is no engine yet")
            return
        try:
            request, work = ask(self._frame)
        except TrimtabError as error:
            self._refuse(str(error))
            return
        self.start_act(request, work)

    def action_compare(self) -> None:
        """Compare the baseline with now, in a thread, then show it."""
        if self._frame is None or self._frame.engine is None:
            self._refuse("There is no engine yet")
            return
        self.run_worker(
            partial(self._compare, self._frame),
            thread=True,
            group="compare",
            exclusive=True,
            exit_on_error=False,
        )

    def _compare(self, frame: Frame) -> None:
        try:
            compared = self._acts.compare(frame)
        except TrimtabError as error:
            self.app.call_from_thread(self._refuse, str(error))
            return
        self.app.call_from_thread(self._show_comparison, compared)

    def _show_comparison(self, compared: Compared) -> None:
        from app.tui.dialogs.compare import CompareDialog

        self.app.push_screen(CompareDialog(compared))

    # The view

    def action_pause(self) -> None:
        """Freeze what is shown, or go on with the newest frame."""
        self._frozen = self._frame if self._frozen is None else None
        self.draw_again()

    def action_range(self) -> None:
        """Look back over the next range."""
        at = RANGES.index(self._query.range)
        self._see(Query(self._query.engine, RANGES[(at + 1) % len(RANGES)]))

    def action_view(self) -> None:
        """The first charts, the others where they do not all fit, the GPUs, the event log."""
        short = self.has_class("-short") and not self.has_class("-large")
        steps = [0, 1, 2] if short or self.has_class("-low") else [0, 2]
        if self._frame is not None and self._frame.cards:
            steps.insert(-1, 3)
        at = steps.index(self._view) if self._view in steps else 0
        self.remove_class(f"-view-{self._view}")
        self._view = steps[(at + 1) % len(steps)]
        self.add_class(f"-view-{self._view}")
        self.call_after_refresh(self.draw_again)

    def action_engine(self, step: int) -> None:
        """Another engine, by its distance in the list."""
        frame = self._frame
        if frame is None or frame.engine is None:
            return
        ids = [engine.id for engine in frame.engines]
        self._see(Query(ids[(ids.index(frame.engine.id) + step) % len(ids)], self._query.range))

    def action_choose_engine(self, number: int) -> None:
        """Another engine, by its place in the list, from 1."""
        frame = self._frame
        if frame is not None and 1 <= number <= len(frame.engines):
            self._see(Query(frame.engines[number - 1].id, self._query.range))

    def _see(self, query: Query) -> None:
        """Ask for another view; a frozen one thaws, for it cannot show what is asked."""
        self._query = query
        self._frozen = None
        self._ask(query)

    def action_help(self) -> None:
        """Explain the keys and the figures."""
        from app.tui.dialogs.help import HelpDialog

        frame = self._frozen or self._frame
        self.app.push_screen(HelpDialog({} if frame is None else frame.unknown))


def _engine_id(frame: Frame | None) -> int | None:
    return None if frame is None or frame.engine is None else frame.engine.id
