"""A terminal that goes away while Textual draws on it."""

import os
import pty
import threading

from textual.drivers._writer_thread import WriterThread

from app.tui.terminal import Terminal
from tests.waiting import PATIENCE_S

MANY = 200
"""More than Textual's writer takes before it makes whoever writes wait."""


def test_a_terminal_that_is_gone_is_told_once_and_stops_nobody() -> None:
    master, slave = pty.openpty()
    lost: list[str] = []
    with os.fdopen(slave, "w") as file:
        terminal = Terminal(file, lambda: lost.append("gone"))
        assert terminal.isatty()
        assert terminal.fileno() == slave
        os.close(master)
        writer = WriterThread(terminal)  # type: ignore[arg-type]
        writer.daemon = True
        writer.start()

        def draw_and_close() -> None:
            for _ in range(MANY):
                writer.write("x" * 100)
            writer.stop()

        drawing = threading.Thread(target=draw_and_close, daemon=True)
        drawing.start()
        drawing.join(PATIENCE_S)
        assert not drawing.is_alive()
    assert lost == ["gone"]


def test_what_is_written_comes_out() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file:
        terminal = Terminal(file, lambda: None)
        assert terminal.write("half ") == 5
        terminal.write("whole")
        terminal.flush()
        assert os.read(reader, 99) == b"half whole"
        assert not terminal.isatty()
    os.close(reader)
