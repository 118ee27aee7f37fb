"""An adoption killed or stopped in its midst leaves one engine, or none where none is due."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

from engines.adoption.begin import begin
from engines.host import procfs
from engines.supervisor_client import client
from engines.supervisor_client.adoption_report import GIVEN_BACK, LOST
from tests.fault.adoption.by_hand import ByHand, answers, ask
from tests.names import own
from tests.supervisors import answering
from tests.waiting import PATIENCE_S, wait_until


def test_a_supervisor_killed_on_the_way_back_starts_no_second_engine(
    by_hand: Callable[..., ByHand],
) -> None:
    name = own("ad-back")
    stub = by_hand(load_s=3)

    def kill_once_it_runs(step: str, text: str) -> None:
        if step == "go back" and text.startswith("process "):
            os.kill(answering(name).supervisor, signal.SIGKILL)

    report = begin(stub.plan(name), drain_s=5, start_s=1, on_step=kill_once_it_runs)
    assert report.outcome == GIVEN_BACK or report.pid is not None
    wait_until(lambda: client.status(name) is None and answers(stub.url))
    commands = [
        pid
        for pid in procfs.process_ids()
        if (seen := procfs.read_process(pid)) is not None
        and "bin/vllm" in seen.arguments
        and procfs.working_directory(pid) == stub.home
    ]
    assert commands == [ask(stub.url)["pid"]]


def test_a_stop_in_the_midst_of_an_adoption_is_heeded(by_hand: Callable[..., ByHand]) -> None:
    name = own("ad-stop")
    stub = by_hand(load_s=60)
    started = threading.Event()
    outcomes: list[str] = []

    def tell(step: str, _: str) -> None:
        if step == "start":
            started.set()

    def run() -> None:
        report = begin(stub.plan(name), drain_s=5, start_s=PATIENCE_S, on_step=tell)
        outcomes.append(report.outcome)

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(PATIENCE_S)
    began = time.monotonic()
    client.stop(name, drain_s=0)
    assert time.monotonic() - began < 20
    thread.join()
    assert outcomes == [LOST]
    assert not answers(stub.url)
