"""Load against a small HTTP server that behaves as engines do, well and badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest

from engines.traffic import PRESETS, TrafficReport, TrafficSpec, preset, run
from engines.traffic.client import Client
from engines.traffic.prompts import LONGEST_QUESTION, questions, system_prompt
from engines.traffic.report import Reservoir
from store.errors import BadInput, EngineUnreachable
from tests.addresses import nobody
from tests.waiting import PATIENCE_S

Reply = tuple[int, dict[str, Any]] | bytes | None


@dataclass
class Server:
    """Answers completions as told by `behave(number, body)`; None hangs, bytes are sent raw."""

    behave: Callable[[int, dict[str, Any]], Reply]
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    most_at_once: int = 0
    requests: float = math.inf
    """How many are enough."""

    enough: asyncio.Event = field(default_factory=asyncio.Event)
    _open: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(x.lower().split(": ", 1) for x in head.split("\r\n")[1:] if x)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                self.authorizations.add(fields.get("authorization", ""))
                reply = await self.answer(head.split()[1], json.loads(body or b"null"))
                if reply is None:
                    await asyncio.sleep(60)
                    return
                if isinstance(reply, bytes):
                    writer.write(reply)
                    break
                text = json.dumps(reply[1]).encode()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (reply[0], len(text)))
                writer.write(text)
                await writer.drain()
        writer.close()

    async def answer(self, path: str, body: Any) -> Reply:
        if path == "/v1/models":
            return 200, {"data": [{"id": "tiny", "max_model_len": 2048}]}
        if path == "/tokenize":
            return 200, {"count": 2 * len(body["prompt"].split())}
        self.bodies.append(body)
        number = len(self.bodies)
        if number >= self.requests:
            self.enough.set()
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            await asyncio.sleep(0.005)
            return self.behave(number, body)
        finally:
            self._open -= 1


def whole(number: int, body: dict[str, Any], reason: str = "length", short: int = 0) -> Reply:
    usage = {"prompt_tokens": 7, "completion_tokens": body["max_tokens"] - short}
    return 200, {"choices": [{"finish_reason": reason}], "usage": usage}


def streamed(number: int, body: dict[str, Any]) -> Reply:
    events = [
        '{"choices":[{"text":"a","finish_reason":null}],"usage":null}',
        '{"choices":[{"text":"b","finish_reason":"length"}],"usage":null}',
        json.dumps(
            {"usage": {"prompt_tokens": 7, "completion_tokens": body["max_tokens"]}},
            separators=(",", ":"),
        ),
        "[DONE]",
    ]
    text = "".join(f"data: {event}\n\n" for event in events)
    return f"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{text}".encode()


@contextlib.asynccontextmanager
async def serving(behave: Callable[[int, dict[str, Any]], Reply]) -> AsyncIterator[Server]:
    server = Server(behave)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await asyncio.sleep(0)


async def load(
    behave: Callable[[int, dict[str, Any]], Reply],
    requests: float = 40,
    finish_s: float = PATIENCE_S,
    **changes: Any,
) -> tuple[TrafficReport, Server]:
    """A load that ends with so many requests, or with its `duration_s`."""
    settings: dict[str, Any] = {
        "duration_s": PATIENCE_S,
        "concurrency": 3,
        "deadline_s": PATIENCE_S,
    }
    async with serving(behave) as server:
        server.requests = requests
        spec = TrafficSpec(**settings | changes)
        return await run(server.url, spec, stop=server.enough, finish_s=finish_s), server


async def test_a_closed_loop_keeps_its_clients_and_accounts_for_everything() -> None:
    report, server = await load(whole, api_key="k3y")
    assert report.ok == report.sent == len(server.bodies) > 10
    assert report.failures == report.in_flight == report.not_sent == 0
    assert server.most_at_once == 3
    assert report.output_tokens == sum(body["max_tokens"] for body in server.bodies)
    assert report.prompt_tokens == 7 * report.ok
    assert report.latency is not None
    assert 0.005 <= report.latency.p50 <= report.latency.p95 <= report.latency.max
    assert report.ttft is None
    assert "Bearer k3y".lower() in server.authorizations
    assert report.to_json()["requests_per_s"] is not None


async def test_prompts_share_their_beginning_and_nothing_else() -> None:
    _, server = await load(whole, shared_prefix_tokens=200, concurrency=1)
    prompts = [body["prompt"] for body in server.bodies]
    prefix = prompts[0].partition("\n\nUser:")[0]
    assert all(prompt.startswith(prefix + "\n\nUser:") for prompt in prompts)
    assert len(set(prompts)) == len(prompts)
    # The server counts two tokens a word.
    assert 190 <= 2 * len(prefix.split()) <= 210


async def test_the_same_seed_asks_the_same_and_no_seed_reaches_the_engine() -> None:
    _, one = await load(whole, concurrency=1, seed=5)
    _, same = await load(whole, concurrency=1, seed=5)
    _, other = await load(whole, concurrency=1, seed=6)
    asked = [(b["prompt"], b["max_tokens"]) for b in one.bodies[:8]]
    assert asked == [(b["prompt"], b["max_tokens"]) for b in same.bodies[:8]]
    assert asked != [(b["prompt"], b["max_tokens"]) for b in other.bodies[:8]]
    assert not any("seed" in body for body in one.bodies)


async def test_lengths_are_mixed_evenly() -> None:
    _, server = await load(whole, concurrency=1, output_lengths=(10, 20, 30))
    rounds = [b["max_tokens"] for b in server.bodies]
    assert all(sorted(rounds[at : at + 3]) == [10, 20, 30] for at in range(0, len(rounds) - 3, 3))


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (lambda n, b: whole(n, b, "abort"), "truncated"),
        (lambda n, b: whole(n, b, "length", short=1), "truncated"),
        (lambda n, b: (500, {"error": "x"}), "HTTP 500"),
        (lambda n, b: (200, {"choices": []}), "not a completion"),
        (lambda n, b: b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "cut"),
        (lambda n, b: b"", "cut"),
        (lambda n, b: None, "deadline"),
        (lambda n, b: b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (9 << 20), "too large"),
    ],
)
async def test_whatever_is_not_a_whole_answer_is_a_failure_by_name(
    behave: Callable[[int, dict[str, Any]], Reply], reason: str
) -> None:
    # Only who is to run into the deadline gets a short one: the others may be slow.
    deadline_s = 0.3 if reason == "deadline" else PATIENCE_S
    report, _ = await load(behave, requests=6, deadline_s=deadline_s)
    assert report.ok == 0
    assert set(report.failed) == {reason}
    assert report.sent == report.failures + report.in_flight
    assert report.latency is None


async def test_streaming_measures_the_first_token() -> None:
    report, server = await load(streamed, stream=True, concurrency=1)
    assert report.ok == report.sent > 0
    assert report.ttft is not None
    assert report.latency is not None
    assert 0 < report.ttft.p50 <= report.latency.max
    assert report.output_tokens == sum(body["max_tokens"] for body in server.bodies)


async def test_a_stream_that_breaks_off_is_truncated() -> None:
    def broken(number: int, body: dict[str, Any]) -> Reply:
        whole_stream = streamed(number, body)
        assert isinstance(whole_stream, bytes)
        return whole_stream[: whole_stream.index(b'"text":"b"')]

    report, _ = await load(broken, stream=True)
    assert report.ok == 0
    assert set(report.failed) == {"truncated"}


async def test_a_server_that_goes_away_is_left_alone_and_found_again() -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        return (503, {}) if 10 < number <= 14 else whole(number, body)

    report, _ = await load(behave, concurrency=4)
    assert report.failed == {"HTTP 503": 4}
    assert report.ok > 20


async def test_clients_do_not_spin_while_the_server_is_away() -> None:
    async with serving(whole) as server:
        stop = asyncio.Event()
        spec = TrafficSpec(concurrency=8, model="tiny", shared_prefix_tokens=0)

        def away(number: int, body: dict[str, Any]) -> Reply:
            if number == 8:
                asyncio.get_running_loop().call_later(1.0, stop.set)
            return b""

        server.behave = away
        report = await run(server.url, spec, stop=stop)
    # Pauses of 0.25 s, then 0.5 s, for all eight together.
    assert 8 <= report.failures <= 8 * 4


async def test_an_open_loop_does_not_wait_for_answers() -> None:
    timed: dict[str, Any] = {"requests": math.inf, "duration_s": 1.0}
    report, _ = await load(lambda number, body: None, rate=100.0, finish_s=1.0, **timed)
    assert 20 <= report.sent <= 150  # a closed loop would send three
    assert report.in_flight == report.sent
    closed, _ = await load(whole, rate=50.0, **timed)
    assert 10 <= closed.ok <= 85


async def test_an_open_loop_tells_what_it_did_not_send() -> None:
    report, _ = await load(
        lambda number, body: (503, {}), rate=200.0, requests=math.inf, duration_s=1.0
    )
    assert report.not_sent > report.sent


async def test_it_stops_when_told_and_lets_running_requests_finish() -> None:
    async with serving(whole) as server:
        stop = asyncio.Event()
        seen: list[TrafficReport] = []

        def watch(report: TrafficReport) -> None:
            seen.append(report)
            if report.ok:
                stop.set()

        report = await run(
            server.url, TrafficSpec(concurrency=2), stop=stop, on_stats=watch, stats_every_s=0.05
        )
    assert report.in_flight == 0
    assert report.ok == report.sent
    assert seen


async def test_a_server_that_is_not_there_at_the_start_is_an_error() -> None:
    with nobody() as url, pytest.raises(EngineUnreachable, match="refused"):
        await run(url, TrafficSpec())
    with pytest.raises(EngineUnreachable):
        await run("nonsense", TrafficSpec())


async def test_a_prefix_without_room_is_refused() -> None:
    with pytest.raises(BadInput, match="leaves no room"):
        await load(whole, shared_prefix_tokens=2_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"concurrency": 0},
        {"concurrency": 5_000},
        {"rate": -1.0},
        {"rate": float("nan")},
        {"think_s": -0.1},
        {"duration_s": 0.0},
        {"output_lengths": ()},
        {"output_lengths": (0,)},
        {"shared_prefix_tokens": -1},
    ],
)
def test_a_load_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        TrafficSpec(**changes).check()


def test_presets_are_sound_and_unknown_ones_listed() -> None:
    for name in PRESETS:
        preset(name).check()
    assert preset("demo", duration_s=3.0).duration_s == 3.0
    with pytest.raises(BadInput, match="demo"):
        preset("nothing")


def test_the_key_is_not_in_the_text_of_a_spec() -> None:
    assert "k3y" not in repr(TrafficSpec(api_key="k3y"))


def test_questions_differ_and_stay_short() -> None:
    texts = list(islice(questions(1), 500))
    assert len(set(texts)) == 500
    assert max(len(text.split()) for text in texts) * 2 < LONGEST_QUESTION
    assert system_prompt(0, 1) == ""
    assert system_prompt(50, 1) != system_prompt(50, 2)


def test_a_sample_of_latencies_stays_small_and_keeps_the_maximum() -> None:
    sample = Reservoir()
    for value in range(20_000):
        sample.add(float(value))
    summary = sample.summary()
    assert summary is not None
    assert summary.max == 19_999
    assert 9_000 < summary.p50 < 11_000
    assert 18_500 < summary.p95 < 19_500


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"choices": [{"finish_reason": "stop"}], "usage": {"prompt_tokens": 1e999, '
        b'"completion_tokens": 1}}',
        b'{"choices": [{"finish_reason": "stop"}], "usage": {"prompt_tokens": -5, '
        b'"completion_tokens": 1}}',
        b'{"choices": [{"finish_reason": "stop"}], "usage": {"prompt_tokens": 1, '
        b'"completion_tokens": ' + b"9" * 4000 + b"}}",
    ],
    ids=["deep", "infinite", "negative", "long"],
)
async def test_no_answer_of_a_server_ends_the_load(body: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    report, _ = await load(lambda *_: raw, 3, concurrency=1, stream=False, model="m")
    assert set(report.failed) <= {"not a completion", "cut"}
    assert report.failed
    json.dumps(report.to_json())


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"\x00\xff" * 2_000, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Long: %b\r\n" % (b"y" * 200_000), "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "cut"),
        (b"", "cut"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "HTTP 302"),
    ],
    ids=["no HTTP", "a long header", "too short", "nothing", "a redirect"],
)
async def test_what_a_strange_server_answers_is_named(answer: bytes, failure: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"}")
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client(f"http://127.0.0.1:{port}", TrafficSpec())
        outcome = await client.complete("The", 4)
        await client.aclose()
    assert outcome.failure == failure
