"""The plan of the chosen variant; with the focus it can be changed and confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from app.offers.offer import Offer
from app.tui.canvases.canvas import Canvas
from app.tui.drawing.lines import Line, Span, outside
from app.tui.keys.key import bindings_of
from app.tui.keys.swap_screen import PLAN_KEYS
from app.tui.screens.swap.plan import Choices, plan_lines
from engines.variants.strategy import STRATEGIES


class SwapPlan(Canvas, can_focus=True):
    """Draws the plan; posts `Confirmed` on enter, `WhyAsked` for a word."""

    class Confirmed(Message):
        """The plan is to be done."""

    class WhyAsked(Message):
        """A reason is to be typed."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(PLAN_KEYS)

    def __init__(self) -> None:
        super().__init__(id="plan")
        self.choices = Choices()
        self._offer: Offer | None = None
        self._refusal = ""

    @property
    def offer(self) -> Offer | None:
        """The variant planned."""
        return self._offer

    def show(self, offer: Offer | None, refusal: str = "") -> None:
        """Plan this one; `refusal` says why nothing can be swapped, or was not."""
        self._offer, self._refusal = offer, refusal
        self.redraw()

    def decide(self, choices: Choices) -> None:
        """Take other choices."""
        self.choices = choices
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """What stands in the way, then the plan."""
        refused = wrapped(self._refusal, self.size.width, "bad")
        if self._offer is None:
            return refused
        plan = plan_lines(self._offer, self.choices, self.size.width, armed=self.has_focus)
        return [*refused, *plan]

    def action_confirm(self) -> None:
        """Ask the screen to do it."""
        self.post_message(self.Confirmed())

    def action_strategy(self) -> None:
        """The next strategy."""
        at = STRATEGIES.index(self.choices.strategy)
        following = STRATEGIES[(at + 1) % len(STRATEGIES)]
        self.decide(replace(self.choices, strategy=following))

    def action_keep(self) -> None:
        """Keep an engine that fails verification, or roll it back."""
        self.decide(replace(self.choices, keep=not self.choices.keep))

    def action_why(self) -> None:
        """Ask for a reason."""
        self.post_message(self.WhyAsked())

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show the keys, or hide them."""
        super().watch_has_focus(has_focus)
        self.redraw()


def wrapped(text: str, width: int, role: str) -> list[Line]:
    """Text from outside on as many lines as it takes."""
    from textwrap import wrap

    return [(Span(row, role),) for row in wrap(outside(text, 600), max(20, width))]
