"""Real sockets that behave as badly as a server can, for tests of what reads from them."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from tests.waiting import PATIENCE_S

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PAGES = Path(__file__).parent / "fixtures" / "metrics"
REAL_PAGE = (PAGES / "vllm-0.32.0.txt").read_bytes()


def reply(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """An HTTP answer; `length` may lie about the body."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def says(data: bytes) -> Answer:
    """Answers every request on a connection with the same bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            await writer.drain()

    return answer


def says_and_closes(data: bytes) -> Answer:
    """Answers once and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()

    return answer


def drips(start: bytes, drop: bytes, every_s: float = 0.02) -> Answer:
    """Answers a little at a time and never comes to an end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(every_s)

    return answer


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the request and says nothing."""
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(3600)


class Server:
    """A server in its own thread whose behaviour can be changed while it runs."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def now(self, answer: Answer) -> None:
        """Behave like this from now on; connections that are open are cut."""
        self.answer = answer
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    async def _cut(self) -> None:
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        await self._cut()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.answer(_Kept(reader, self.requests), writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(PATIENCE_S)
            self._loop.close()


class _Kept(asyncio.StreamReader):
    """Keeps the heads of requests as they are read."""

    def __init__(self, reader: asyncio.StreamReader, requests: list[bytes]) -> None:
        self._reader = reader
        self._requests = requests

    async def readuntil(self, separator: bytes = b"\n") -> bytes:  # type: ignore[override]
        head = await self._reader.readuntil(separator)
        self._requests.append(head)
        return head


def serving(answer: Answer) -> contextlib.AbstractContextManager[Server]:
    """A running server that answers so."""
    return Server(answer).running()
