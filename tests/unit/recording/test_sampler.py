"""A sampler against a real server: instants, runs, pages that lack something."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence

import pytest

from engines.metrics_page import Sample
from engines.recording.devices.device_time import DeviceSample
from engines.recording.sampler import PATIENCE, Run, Sampler, next_instant
from store.clock import now_ms
from store.device_columns import DeviceReading
from store.reading_columns import Reading
from tests.servers import REAL_PAGE, Server, hangs, reply, says, serving


def page(tokens: int = 143_094, start: float | None = None) -> bytes:
    """The real page with other prompt tokens and another start of the process."""
    changed = re.sub(rb"(?m)^(vllm:prompt_tokens_total\{.*\}) \S+$", rb"\1 %d" % tokens, REAL_PAGE)
    if start is not None:
        changed = re.sub(
            rb"(?m)^process_start_time_seconds \S+$",
            b"process_start_time_seconds %.2f" % start,
            changed,
        )
    return changed


PREEMPTIONS = "vllm:num_preemptions_total"


class Kept:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.readings: list[Reading] = []
        self.device_readings: list[DeviceReading] = []
        self.reasons: list[str] = []
        self.held: list[DeviceSample] = []
        self.refuse = False
        self.anew = False
        self.doubts: Mapping[str, str] = {}

    async def open_run(self, sample: Sample, at_ms: int, why: str, *, anew: bool = False) -> Run:
        self.opened.append(why)
        self.anew = anew
        return Run(len(self.opened))

    async def devices(self) -> Sequence[DeviceSample]:
        return self.held

    async def store(
        self, reading: Reading, devices: Sequence[DeviceReading], doubts: Mapping[str, str]
    ) -> bool:
        self.doubts = doubts
        self.readings.append(reading)
        self.device_readings += devices
        return not self.refuse

    async def unreadable(self, reason: str, at_ms: int) -> None:
        self.reasons.append(reason)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(says(reply(page()))) as running:
        yield running


@pytest.fixture
def sink() -> Kept:
    return Kept()


async def test_readings_of_one_run(server: Server, sink: Kept) -> None:
    sink.held = [DeviceSample(4)]
    sampler = Sampler(server.url, sink)
    for tokens in (143_094, 143_100, 143_200):
        server.now(says(reply(page(tokens))))
        await sampler.tick()
    assert sink.opened == [""]
    assert [one.values["prompt_tokens"] for one in sink.readings] == [143_094, 143_100, 143_200]
    assert [one.run_id for one in sink.readings] == [1, 1, 1]
    assert [one.device_id for one in sink.device_readings] == [4, 4, 4]
    assert [one.ts_ms for one in sink.device_readings] == [one.ts_ms for one in sink.readings]
    assert sink.device_readings[-1].held_ms == sink.device_readings[-1].watched_ms


async def test_a_restarted_engine_is_a_new_run(server: Server, sink: Kept) -> None:
    sampler = Sampler(server.url, sink)
    await sampler.tick()
    server.now(says(reply(page(143_095, start=1_795_999_999))))
    await sampler.tick()
    assert sink.opened == ["", "the process started anew"]
    assert [one.run_id for one in sink.readings] == [1, 2]
    assert sink.readings[1].values["watched_ms"] == 0


async def test_a_page_that_lost_something_is_not_stored(server: Server, sink: Kept) -> None:
    sampler = Sampler(server.url, sink)
    await sampler.tick()
    less = re.sub(rb"(?m)^vllm:num_preemptions_total.*\n", b"", page(143_095))
    server.now(says(reply(less)))
    for _ in range(PATIENCE):
        await sampler.tick()
    assert len(sink.readings) == 1
    assert sink.reasons == [f"the page is not whole: {PREEMPTIONS} was there before"] * PATIENCE
    await sampler.tick()
    assert sink.opened == ["", f"the engine no longer tells {PREEMPTIONS}"]
    assert sink.readings[-1].values["preemptions"] is None


async def test_a_reading_that_does_not_fit_begins_a_run(server: Server, sink: Kept) -> None:
    sampler = Sampler(server.url, sink)
    sink.refuse = True
    await sampler.tick()
    sink.refuse = False
    await sampler.tick()
    await sampler.tick()
    assert sink.opened == ["", ""]
    assert [one.run_id for one in sink.readings] == [1, 2, 2]


async def test_beginning_again_asks_for_the_run_again(server: Server, sink: Kept) -> None:
    sampler = Sampler(server.url, sink)
    await sampler.tick()
    await sampler.begin_again(None)
    await sampler.tick()
    assert len(sink.opened) == 2


@pytest.mark.parametrize(
    ("number", "elapsed_s", "expected"),
    [(0, 0.05, 1), (4, 4.9, 5), (4, 5.0, 5), (4, 5.001, 6), (4, 9.3, 10), (4, 3.9, 5)],
)
def test_a_missed_instant_is_skipped_not_made_up_for(
    number: int, elapsed_s: float, expected: int
) -> None:
    assert next_instant(number, elapsed_s, 1.0) == expected


async def test_it_goes_on_by_itself(server: Server, sink: Kept) -> None:
    running = asyncio.create_task(Sampler(server.url, sink, every_s=0.05).run())
    async with asyncio.timeout(20):
        while len(sink.readings) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    running.cancel()
    stamps = [one.ts_ms for one in sink.readings]
    assert stamps == sorted(set(stamps))


async def test_the_loop_goes_on_while_a_server_hangs(server: Server, sink: Kept) -> None:
    server.now(hangs)
    sampler = Sampler(server.url, sink, every_s=0.1)
    tick = asyncio.create_task(sampler.tick())
    turns = 0
    while not tick.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 10
    assert sink.reasons == ["no whole answer within 2 s"]


@pytest.mark.parametrize("jump_s", [-3600.0, 30 * 86_400.0, 3.0])
async def test_a_clock_that_jumps_begins_a_run(
    server: Server, sink: Kept, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    offset_ms = [0]
    monkeypatch.setattr("engines.recording.sampler.now_ms", lambda: now_ms() + offset_ms[0])
    sampler = Sampler(server.url, sink)
    await sampler.tick()
    await sampler.tick()
    offset_ms[0] = round(jump_s * 1000)
    await sampler.tick()
    await sampler.tick()
    way = "forward" if jump_s > 0 else "back"
    assert sink.opened == ["", f"the clock of this host went {way} by {abs(jump_s):.0f} s"]
    assert sink.anew
    assert [reading.run_id for reading in sink.readings] == [1, 1, 2, 2]
    first, _, third, fourth = sink.readings
    assert third.ts_ms - first.ts_ms == pytest.approx(jump_s * 1000, abs=1000)
    assert fourth.ts_ms - third.ts_ms < 1000


async def test_a_gauge_that_no_engine_has_is_left_out(server: Server, sink: Kept) -> None:
    sampler = Sampler(server.url, sink)
    await sampler.tick()
    absurd = re.sub(rb"(?m)^(vllm:num_requests_running\{[^}]*\}) .*$", rb"\1 9e18", page())
    assert absurd != page()
    server.now(says(reply(absurd)))
    await sampler.tick()
    server.now(says(reply(page())))
    await sampler.tick()
    assert sink.reasons == []
    assert [reading.values["running_max"] is None for reading in sink.readings] == [
        False,
        True,
        False,
    ]
    assert sink.doubts == {}
