"""The variants of an engine: what each is, what it needs, whether it fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from app.offers.offer import Files, Offer, Offers, size_text
from app.tui.canvases.canvas import Canvas
from app.tui.drawing.changes import variant_name
from app.tui.drawing.lines import Line, Span, outside, pad
from app.tui.keys.key import bindings_of
from app.tui.keys.swap_screen import VARIANT_LIST_KEYS
from store.metrics.formats import MISSING

VERDICT_ROLES = {"fits beside": "good", "fits after stop": "warn", "does not fit": "bad"}
_HEADINGS = ("on disk", "weights", "needs", "free", "")
_NARROWEST = (0, 0, 9, 9, 17)
_NARROW = (9, 15, 9, 9, 17)
_WIDE = (11, 28, 11, 11, 17)
_LEAST_NAME, _MOST_NAME = 18, 36
_GAP = 2
_METHOD = "compressed-tensors "
"""The word of a quantisation that tells least."""


class VariantList(Canvas, can_focus=True):
    """A list with a cursor. Posts `Moved` when another one is chosen, `Picked` on enter."""

    class Moved(Message):
        """Another variant is chosen."""

    class Picked(Message):
        """The chosen variant is to be planned."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(VARIANT_LIST_KEYS)

    def __init__(self) -> None:
        super().__init__(id="variants")
        self._offers: Offers | None = None
        self._note = "reading the files and what is free …"
        self._cursor = 0

    @property
    def chosen(self) -> Offer | None:
        """The variant under the cursor."""
        offers = () if self._offers is None else self._offers.found
        return offers[self._cursor] if offers else None

    def show(self, offers: Offers) -> None:
        """List these."""
        self._offers = offers
        self._note = "nothing else is offered: name variants in the settings file"
        self._cursor = min(self._cursor, max(0, len(offers.found) - 1))
        self.redraw()

    def tell(self, note: str) -> None:
        """Say why there is no list."""
        self._note = note
        self.redraw()

    def draw(self) -> Sequence[Line]:
        """A heading, what runs now, then a row per variant around the cursor."""
        width, height = self.size
        fitting = (each for each in (_WIDE, _NARROW) if width >= _LEAST_NAME + sum(each))
        sizes = next(fitting, _NARROWEST)
        name = min(_MOST_NAME, width - sum(sizes))
        heading: Line = (
            Span(pad("Variants", name), "strong"),
            *(
                Span(_cell(text, size, n), "quiet")
                for n, (text, size) in enumerate(zip(_HEADINGS, sizes, strict=True))
            ),
        )
        if self._offers is None or not self._offers.found:
            return [heading, (Span(self._note, "quiet"),)]
        running = self._now(self._offers.running, name, sizes)
        room = max(1, height - 2)
        first = max(0, min(self._cursor - room // 2, len(self._offers.found) - room))
        shown = range(first, min(first + room, len(self._offers.found)))
        return [heading, running, *(self._row(row, name, sizes) for row in shown)]

    def _now(self, files: Files, name: int, sizes: Sequence[int]) -> Line:
        words = outside(files.model, 300).rstrip("/").rsplit("/", 1)[-1]
        texts = (
            size_text(files.on_disk),
            weights_text(files, max(0, sizes[1] - _GAP)),
            "",
            "",
            "runs now",
        )
        cells = [Span(_cell(text, sizes[n], n), "quiet") for n, text in enumerate(texts[:-1])]
        return (
            Span(pad(words, name - 1) + " "),
            *cells,
            Span(_cell(texts[-1], sizes[-1], 4), "primary"),
        )

    def _row(self, row: int, name: int, sizes: Sequence[int]) -> Line:
        assert self._offers is not None
        offer = self._offers.found[row]
        chosen = row == self._cursor
        lit = chosen and self.has_focus
        plain = "cursor-quiet" if lit else "quiet"
        room = offer.room
        texts = (
            size_text(offer.files.on_disk),
            weights_text(offer.files, max(0, sizes[1] - _GAP)),
            size_text(room.needed),
            size_text(room.free),
        )
        words = outside(variant_name(offer.name), 80)
        verdict_role = VERDICT_ROLES.get(room.verdict, "quiet")
        if lit:
            verdict_role = f"cursor-{verdict_role}"
        return (
            Span(
                pad(f"back: {words}" if offer.back else words, name - 1) + " ",
                "cursor" if lit else "primary" if chosen else "text",
            ),
            *(Span(_cell(text, sizes[n], n), plain) for n, text in enumerate(texts)),
            Span(_cell(room.verdict, sizes[4], 4), verdict_role),
        )

    def action_move(self, step: int) -> None:
        """Move the cursor, stopping at the ends."""
        if self._offers is not None and self._offers.found:
            self._cursor = max(0, min(len(self._offers.found) - 1, self._cursor + step))
            self.redraw()
            self.post_message(self.Moved())

    def action_pick(self) -> None:
        """Ask the screen to plan the chosen one."""
        if self.chosen is not None:
            self.post_message(self.Picked())

    def watch_has_focus(self, has_focus: bool) -> None:
        """Light the cursor, or put its light out."""
        super().watch_has_focus(has_focus)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Choose the variant under the pointer."""
        offers = () if self._offers is None else self._offers.found
        if len(offers) + 2 <= self.size.height and 2 <= event.y < len(offers) + 2:
            self._cursor = event.y - 2
            self.action_move(0)


def weights_text(files: Files, width: int) -> str:
    """How the weights are kept and computed in: compressed-tensors int4, half. Where there is less
    room the words that tell least go first."""
    quantisation = "" if files.quantisation is None else outside(files.quantisation, 60)
    dtype = "" if files.dtype is None else outside(files.dtype, 20)
    if not quantisation:
        return dtype or MISSING
    least = quantisation.removeprefix(_METHOD)
    fuller = (
        f"{quantisation}, {dtype}" if dtype else quantisation,
        f"{least}, {dtype}",
        quantisation,
        least,
    )
    return next((text for text in fuller if len(text) <= width), least)


def _cell(text: str, size: int, column: int) -> str:
    """Sizes to the right, words to the left after a gap; nothing where there is no room."""
    if size == 0:
        return ""
    if column in (0, 2, 3):
        return pad(text, size, right=True)
    return " " * _GAP + pad(text, size - _GAP)
