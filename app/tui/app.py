"""The Textual application: its screens, a feed, a theme, a palette that knows every key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from app.tui.acting.act_maker import ActMaker
from app.tui.acting.actions import Actions
from app.tui.acting.messages import FrameReady
from app.tui.feed.feed import Feed
from app.tui.feed.frame import Frame, Query
from app.tui.keys.main_screen import MAIN_KEYS
from app.tui.screens.common.frame_screen import FrameScreen
from app.tui.screens.main.screen import MainScreen
from app.tui.theme import TRIMTAB
from store.clock import now_ms

if TYPE_CHECKING:
    from store.errors import TrimtabError
    from store.metrics.prices import PriceBook


class TrimtabApp(App[None]):
    """The screen over a ledger.

    `engine` names the engine to show first (name or URL); `clock` gives now in ms and is replaced
    in tests. Recording is not the screen's work: whoever starts it (the command line) may start a
    recorder too, and tells by `recording()` what keeps it from writing.
    """

    CSS_PATH = Path(__file__).with_name("trimtab.tcss")
    TITLE = "trimtab"
    BINDINGS: ClassVar[list[BindingType]] = []
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        db_path: Path,
        prices: PriceBook,
        actions: Actions,
        *,
        engine: str | None = None,
        clock: Callable[[], int] = now_ms,
        recording: Callable[[], TrimtabError | None] = lambda: None,
    ) -> None:
        super().__init__()
        self._feed = Feed(
            db_path, prices, self._receive, clock=clock, engine=engine, recording=recording
        )
        self._screen = MainScreen(ActMaker(actions, db_path, prices), self._feed.ask, Query(engine))

    def get_default_screen(self) -> Screen[None]:
        """The main screen, without an empty one under it."""
        return self._screen

    def on_load(self) -> None:
        """Dress, and start reading while the widgets are made."""
        self.register_theme(TRIMTAB)
        self.theme = TRIMTAB.name
        self.run_worker(self._feed.run, thread=True, group="feed", exit_on_error=True)

    def on_unmount(self) -> None:
        """Let the feed's thread end."""
        self._feed.stop()

    def _receive(self, frame: Frame) -> None:
        self.post_message(FrameReady(frame))

    @on(FrameReady)
    def _show(self, event: FrameReady) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, FrameScreen):
                screen.show(event.frame)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key's action by its description, then Textual's own."""
        if screen is self._screen:
            for key in MAIN_KEYS:
                if "{key}" not in key.action and not key.action.startswith("app."):
                    yield SystemCommand(
                        key.description, f"key {key.shown}", self._runner(key.action)
                    )
        yield from super().get_system_commands(screen)

    def _runner(self, action: str) -> Callable[[], None]:
        def run() -> None:
            self.call_later(self._screen.run_action, action)

        return run
