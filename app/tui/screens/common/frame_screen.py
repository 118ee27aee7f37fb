"""What full screens share: frames come to them, acts leave in a thread and are told about."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual import events, on
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from app.tui.acting.messages import Acted
from app.tui.feed.frame import Frame
from store.errors import TrimtabError

WIDTHS = [(0, "-tiny"), (60, "-narrow"), (80, "-small"), (112, "-medium"), (168, "-large")]
HEIGHTS = [(0, "-flat"), (16, "-low"), (22, "-short"), (36, "-tall")]


class FrameScreen(Screen[None]):
    """A screen that draws frames and starts acts."""

    def __init__(self) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = WIDTHS
        self.VERTICAL_BREAKPOINTS = HEIGHTS

    def show(self, frame: Frame) -> None:
        """Take a new frame."""
        raise NotImplementedError

    def tell_act(self, acted: Acted) -> None:
        """Tell how an act stands."""
        raise NotImplementedError

    @property
    def drawable(self) -> bool:
        """Whether the widgets are there and on top: not before they are made, nor while they are
        taken away, nor under another screen.

        Textual hands what changes in a screen below on to the one on top, and then repaints that
        alone: what changes in the top one itself at the same time never reaches the terminal.
        """
        return self.is_mounted and self.display and self.app.screen is self

    def draw_again(self) -> None:
        """Draw the newest frame whole: this screen is on top again."""
        raise NotImplementedError

    @on(events.ScreenResume)
    def _seen_again(self) -> None:
        if self.drawable:
            self.draw_again()

    def measure(self) -> None:
        """Take the classes of the size: Textual gives them with the first resize, after a whole
        layout without them."""
        for size, steps in ((self.app.size.width, WIDTHS), (self.app.size.height, HEIGHTS)):
            self.add_class(max(step for step in steps if step[0] <= size)[1])

    def start_act(self, request: str, work: Callable[[], str]) -> None:
        """Tell what is asked for and do it in a thread; the outcome comes as `Acted`."""
        self.tell_act(Acted("requested", request))
        self.run_worker(partial(self._do_act, work), thread=True, group="acts", exit_on_error=False)

    def _do_act(self, work: Callable[[], str]) -> None:
        try:
            acted = Acted("done", work())
        except TrimtabError as error:
            acted = Acted("failed", str(error))
        if not self.post_message(acted):
            self.miss_act(acted)

    def miss_act(self, acted: Acted) -> None:
        """From the act's thread: this screen was left before the outcome came."""

    @on(Worker.StateChanged)
    def _worker_changed(self, event: Worker.StateChanged) -> None:
        """An act that broke is told like one that was refused."""
        if event.state is WorkerState.ERROR:
            self.tell_act(Acted("failed", f"not done: {event.worker.error!r}"))

    @on(Acted)
    def _acted(self, event: Acted) -> None:
        self.tell_act(event)
