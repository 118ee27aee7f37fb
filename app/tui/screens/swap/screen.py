"""The swap screen: choose a variant, weigh its plan, follow the swap, see what came of it.

It shows the swap that the ledger shows, whoever asked for it: leaving it stops nothing, and whoever
comes back, even in another program, sees how far it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message

from app.offers.offer import Offers
from app.tui.acting.act_maker import ActMaker
from app.tui.acting.messages import Acted
from app.tui.canvases.canvas import Canvas
from app.tui.canvases.painted import Painted
from app.tui.drawing.lines import Line, Span, outside
from app.tui.drawing.swap_steps import elapsed_s, silent_s
from app.tui.feed.chart_specs import CHARTS
from app.tui.feed.frame import Frame
from app.tui.keys.key import bindings_of
from app.tui.keys.swap_screen import SWAP_KEYS
from app.tui.screens.common.frame_screen import FrameScreen
from app.tui.screens.swap import words as swap_words
from app.tui.screens.swap.history import SwapHistory
from app.tui.screens.swap.outcome import SwapOutcome
from app.tui.screens.swap.plan_view import SwapPlan
from app.tui.screens.swap.progress import SwapProgress
from app.tui.screens.swap.variant_list import VariantList
from app.tui.widgets.chart import Chart
from app.tui.widgets.impact_strip import ImpactStrip
from app.tui.widgets.notice import Notice
from store.errors import TrimtabError

_SETTLED_S = 0.5
"""After so long a view that was switched to has its final layout."""
CHOOSE, PROGRESS, OUTCOME = "-choose", "-progress", "-outcome"
_ROLES = {"requested": "warn", "done": "good", "failed": "bad"}


@dataclass
class OffersRead(Message):
    """The variants were weighed, or could not be, for the reason `problem`."""

    offers: Offers | None
    problem: str = ""


class SwapScreen(FrameScreen):
    """Three views over one frame: the variants with a plan, a swap that runs, one that is over.

    `home` is told the outcome of an act that comes when this screen was left. `back` opens on the
    plan of going back, `call_off` on the question whether to call the swap off that runs.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Leave; a swap goes on", show=False),
        Binding("ctrl+c", "app.quit", "Quit", show=False),
        Binding("question_mark", "help", "Help", show=False),
        *bindings_of(SWAP_KEYS),
    ]

    def __init__(
        self,
        acts: ActMaker,
        frame: Frame,
        home: Callable[[Acted], object],
        *,
        back: bool = False,
        call_off: bool = False,
    ) -> None:
        super().__init__()
        self._home = home
        self._acts = acts
        self._frame = frame
        self._back = back
        self._call_off = call_off
        self._view = PROGRESS if frame.swapping else CHOOSE
        self._offers: Offers | None = None
        self._known = frame.swaps[0].id if frame.swaps else None
        self._older = 0
        self._handed = False
        self._told: Acted | None = None

    def compose(self) -> ComposeResult:
        """From top to bottom; the view says which of them are there."""
        self.measure()
        self.add_class(self._view)
        yield Painted(id="swap-title")
        with Container(id="choosing"):
            yield VariantList()
            yield SwapPlan()
            yield SwapHistory()
        yield SwapProgress()
        yield SwapOutcome()
        with Container(id="swap-foot"):
            yield ImpactStrip()
            for spec in CHARTS:
                if spec.id in ("tokens", "queue"):
                    yield Chart(spec)
        yield Notice()
        yield Painted(id="swap-told")
        yield Painted(id="swap-hints")

    def on_mount(self) -> None:
        """Draw what is known, read the rest."""
        self._draw()
        if self._view == CHOOSE:
            self._read_offers()
        if self._call_off:
            self.action_call_off()

    # Frames

    def show(self, frame: Frame) -> None:
        """Take a new frame: follow a swap that began, show the outcome of one that ended."""
        self._frame = frame
        if not self.drawable:
            return
        newest = frame.swaps[0].id if frame.swaps else None
        if newest != self._known:
            self._known, self._handed = newest, False
            self._see(PROGRESS if frame.swapping else OUTCOME)
        elif self._view == PROGRESS and frame.swapping is None and not self._handed:
            self._see(OUTCOME)
        self._draw()

    def _see(self, view: str) -> None:
        if view == self._view:
            return
        self.remove_class(self._view)
        self._view = view
        self.add_class(view)
        self._older, self._told = 0, None
        self.call_after_refresh(self._draw_anew)
        self.set_timer(_SETTLED_S, self._draw_anew)

    def draw_again(self) -> None:
        """Take what came while a dialog was on top."""
        self.show(self._frame)
        self._draw_anew()

    def _draw_anew(self) -> None:
        """Draw with nothing taken for drawn: what a widget painted while it was not shown, or
        before it got its place, may not have reached the terminal."""
        self._draw()
        for canvas in self.query(Canvas):
            canvas.refresh()

    def _draw(self) -> None:
        frame = self._frame
        self.query_one("#swap-title", Painted).tell([swap_words.title(frame, self.size.width)])
        self.query_one(SwapHistory).show(frame)
        self.query_one(SwapProgress).show(frame)
        over = [swap for swap in frame.swaps if swap.outcome != "running"]
        self._older = max(0, min(self._older, len(over) - 1))
        shown = over[self._older] if over else None
        self.query_one(SwapOutcome).show(shown)
        did = None if frame.impact is None else frame.impact.change.id
        self.set_class(shown is not None and shown.id == did, "-own-impact")
        self.query_one(ImpactStrip).show(frame, None)
        for chart in self.query(Chart):
            chart.show(frame)
        self.query_one(Notice).show(frame)
        self._draw_foot()

    def _draw_foot(self) -> None:
        """What is told of an act, above the keys of the view."""
        acted = self._told
        line: Line = () if acted is None else (Span(outside(acted.text, 400), _ROLES[acted.phase]),)
        self.query_one("#swap-told", Painted).tell([line])
        swaps = self._frame.swaps
        if self._view == PROGRESS:
            keys = swap_words.PROGRESS
        elif self._view == OUTCOME:
            done = bool(swaps) and swaps[0].outcome == "done"
            keys = swap_words.outcome(len(swaps), can_go_back=done)
        elif self.query_one(SwapPlan).has_focus:
            keys = swap_words.ARMED
        else:
            keys = swap_words.choosing(any_swap=bool(swaps))
        self.query_one("#swap-hints", Painted).tell([swap_words.hints(keys)])

    @on(events.DescendantFocus)
    def _focus_moved(self) -> None:
        """The list and the plan have keys of their own."""
        self._draw_foot()

    # Variants

    def _read_offers(self) -> None:
        self.run_worker(
            partial(self._load, self._frame),
            thread=True,
            group="offers",
            exclusive=True,
            exit_on_error=False,
        )

    def _load(self, frame: Frame) -> None:
        try:
            self.post_message(OffersRead(self._acts.offers(frame)))
        except TrimtabError as error:
            self.post_message(OffersRead(None, str(error)))

    @on(OffersRead)
    def _loaded(self, event: OffersRead) -> None:
        listed, offers = self.query_one(VariantList), event.offers
        self._offers = offers
        if offers is None:
            listed.tell("none can be told of")
            self.query_one(SwapPlan).show(None, event.problem)
            return
        listed.styles.height = min(len(offers.found) + 2, max(4, self.app.size.height // 3))
        listed.show(offers)
        self._moved()
        listed.focus()
        if self._back and offers.found and offers.found[0].back:
            self._back = False
            self._arm()
        self._draw_foot()

    @on(VariantList.Moved)
    def _moved(self) -> None:
        offers = self._offers
        refusal = "" if offers is None else offers.refusal
        self.query_one(SwapPlan).show(self.query_one(VariantList).chosen, refusal)

    @on(VariantList.Picked)
    def _arm(self) -> None:
        """Ask about the plan of the chosen variant."""
        if self._offers is not None and not self._offers.refusal:
            self.query_one(SwapPlan).focus()

    @on(SwapPlan.WhyAsked)
    def _ask_why(self) -> None:
        from app.tui.dialogs.ask_why import AskWhy

        plan = self.query_one(SwapPlan)

        def take(why: str | None) -> None:
            if why is not None:
                plan.decide(replace(plan.choices, why=why))

        self.app.push_screen(AskWhy(plan.choices.why), take)

    @on(SwapPlan.Confirmed)
    def _confirmed(self) -> None:
        plan = self.query_one(SwapPlan)
        if plan.offer is None:
            return
        wanted = plan.choices.wanted(plan.offer)
        self._see(PROGRESS)
        self._handed = True
        self.start_act(*self._acts.swap(self._frame, wanted))

    # Acts

    def tell_act(self, acted: Acted) -> None:
        """Above the keys; why a swap was refused stands in its plan, where there is room for it."""
        if acted.phase == "failed" and self._handed:
            self._handed = False
            self._see(CHOOSE)
            plan = self.query_one(SwapPlan)
            plan.show(plan.offer, acted.text)
            plan.focus()
        else:
            self._told = acted
        self._draw_foot()

    def miss_act(self, acted: Acted) -> None:
        """Whoever left is told on the engine's screen."""
        self._home(acted)

    def action_call_off(self) -> None:
        """Ask whether the swap that runs is to go back."""
        from app.tui.dialogs.confirm import Confirm

        swap = self._frame.swapping
        if swap is None:
            return
        meaning = (
            "The new engine ends; the old one serves on, or starts again.",
            "Once the new one has taken over, u takes it back instead.",
        )

        def answer(agreed: bool | None) -> None:
            now = self._frame.swapping
            if agreed and now is not None and now.id == swap.id:
                self.start_act(*self._acts.call_off(self._frame))
            elif agreed:
                self._told = Acted("failed", "that swap is over: nothing was called off")
                self._draw_foot()

        self.app.push_screen(Confirm("Call the swap off?", meaning, "call it off"), answer)

    # Views

    def action_back(self) -> None:
        """One step back: from the plan to the variants, from there to the engine."""
        if self._view == CHOOSE and self.query_one(SwapPlan).has_focus:
            self.query_one(VariantList).focus()
        else:
            self.dismiss()

    def action_outcome(self) -> None:
        """The last swap that is over."""
        if self._view == CHOOSE and self._frame.swaps:
            self._see(OUTCOME)

    def action_older(self, step: int) -> None:
        """The outcome of the swap before, or after."""
        if self._view == OUTCOME:
            self._older += step
            self._draw()

    def action_choose(self) -> None:
        """The variants again; while a swap runs only if nothing is heard of it any more."""
        swap = self._frame.swapping
        if swap is not None and silent_s(swap, elapsed_s(swap, self._frame.now_ms)) is None:
            return
        self._see(CHOOSE)
        self._read_offers()

    def action_go_back(self) -> None:
        """The plan of going back, or of calling the swap off that runs."""
        if self._frame.swapping is not None:
            self.action_call_off()
        else:
            self._back = True
            self.action_choose()

    def action_help(self) -> None:
        """Explain the keys and the figures."""
        from app.tui.dialogs.help import HelpDialog

        self.app.push_screen(HelpDialog(self._frame.unknown))
