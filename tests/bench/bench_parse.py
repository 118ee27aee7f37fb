"""Parse time of the real page against prometheus-client: `python -m tests.bench.bench_parse`.

Prints the best of many runs, in ms. `read` is text to `Sample`; `scrape` adds the HTTP read from a
server on this machine, as CPU time of the reading side.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from engines.metrics_page import PageReader, Parser, read
from engines.web.http import Fetcher
from tests.servers import reply, says, serving

PAGE = Path(__file__).parent.parent / "fixtures" / "metrics" / "vllm-0.32.0.txt"
AIM = 8


def best(work: Callable[[], object], runs: int = 60) -> float:
    """The shortest of `runs` runs, in ms: the one that nothing else disturbed."""
    shortest = float("inf")
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - begin)
    return shortest * 1_000


async def scrape_cpu(page: bytes, times: int = 300) -> float:
    """CPU milliseconds of one scrape, read and parsed. The server's share, a copy, is in it."""
    with serving(says(reply(page))) as server:
        async with Fetcher(server.url) as fetcher:
            reader = PageReader()
            reader.read(await fetcher.get("/metrics"))
            begin = time.thread_time()
            for _ in range(times):
                reader.read(await fetcher.get("/metrics"))
            return (time.thread_time() - begin) / times * 1_000


def main() -> None:
    """Measure and print."""
    body = PAGE.read_bytes()
    text = body.decode()
    reader, parser = PageReader(), Parser()
    reader.read(body)
    parser.parse(body)
    oracle = best(lambda: list(text_string_to_metric_families(text)), 15)
    rows = [
        ("prometheus-client", oracle),
        ("all samples, first page", best(lambda: Parser().parse(body))),
        ("all samples, later pages", best(lambda: parser.parse(body))),
        ("read, first page", best(lambda: read(body))),
        ("read, later pages", best(lambda: reader.read(body))),
    ]
    print(f"{PAGE.name}: {len(body):,} bytes, {text.count(chr(10))} lines; aim {AIM}x")
    for name, milliseconds in rows:
        print(f"{name:26} {milliseconds:7.3f} ms  {oracle / milliseconds:6.1f}x")
    print(f"{'scrape and read, CPU':26} {asyncio.run(scrape_cpu(body)):7.3f} ms")


if __name__ == "__main__":
    main()
