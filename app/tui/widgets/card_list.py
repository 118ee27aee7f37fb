"""The cards of the host, a line each: those of the engine, of others, and those nobody uses."""

from __future__ import annotations

from collections.abc import Sequence

from app.tui.canvases.frame_canvas import FrameCanvas
from app.tui.drawing.cards import card_line, in_order_of_need, rest_line
from app.tui.drawing.lines import Line
from app.tui.feed.frame import Frame


class CardList(FrameCanvas):
    """As many rows as there are cards, and as the screen has for them; none without a card."""

    def __init__(self) -> None:
        super().__init__(id="cards")

    def show(self, frame: Frame) -> None:
        """Draw for `frame`; take as many rows as it has cards, up to the stylesheet's limit."""
        rows = len(frame.cards)
        if self.styles.height is None or self.styles.height.value != rows:
            self.styles.height = rows
        super().show(frame)

    def draw(self) -> Sequence[Line]:
        """The cards that have a row, then what is known of the others."""
        cards = () if self.frame is None else self.frame.cards
        shown = in_order_of_need(cards, self.size.height)
        rest = [card for card in cards if card not in shown]
        return [*map(card_line, shown), *([rest_line(rest, more=bool(shown))] if rest else [])]
