"""The end of the engine that all checks ran on; its file comes last."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from engines.supervisor_client import client
from tests.engine.conftest import LiveEngine
from tests.engine.versions.findings import Teller
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine, pytest.mark.wide]

DRAIN_S = 60.0


def test_a_stop_lets_requests_finish(served: LiveEngine, tell: Teller) -> None:
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(served.complete, f"The harbour {number}", 400) for number in range(4)]
        wait_until(lambda: served.metric("vllm:num_requests_running") == len(asked))
        stopped = client.stop(served.name, drain_s=DRAIN_S)
        for one in asked:
            one.result()  # raises on anything but a whole answer
    assert stopped.drained and not stopped.killed
    why = f"{len(asked)} of 400 tokens were running, gone after {stopped.took_s:.0f} s"
    tell("swaps", "drain at a stop", "no request cut", why)
