"""Messages between the feed, the widgets and the screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from app.tui.feed.frame import Frame


class FrameReady(Message):
    """A new frame; one that was not drawn yet is replaced by it."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self.frame = frame

    def can_replace(self, message: Message) -> bool:
        """Only the newest frame matters to a screen that is behind."""
        return isinstance(message, FrameReady)


@dataclass
class KnobChosen(Message):
    """A knob of the list was chosen, to be changed."""

    name: str


@dataclass
class Acted(Message):
    """An act moved on: `phase` is requested, done or failed; `text` is for people."""

    phase: str
    text: str
