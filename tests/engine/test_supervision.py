"""A real engine under its supervisor, whose front closes and opens and who may be killed."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from engines.control.api_front import Front, front_path
from engines.supervisor_client import client
from engines.supervisor_client.status import SupervisorStatus
from tests.engine.conftest import LiveEngine
from tests.waiting import wait_until

pytestmark = pytest.mark.engine


def test_a_closed_front_lets_requests_wait_and_none_is_lost(
    engine: LiveEngine, under_load: Callable[..., Any]
) -> None:
    front = Front(front_path(engine.pid, os.geteuid()))
    with under_load(clients=8) as load:
        front.close()
        wait_until(lambda: front.state().connections == 0)
        done = load.done
        assert front.state().in_flight == 0
        time.sleep(1)
        assert load.done == done
        front.open()
        wait_until(lambda: load.done > done + 16)
    assert load.failed == []


def followed(engine: LiveEngine, before: SupervisorStatus) -> bool:
    """Whether another supervisor says that the engine serves."""
    now = client.status(engine.name) or before
    return now.supervisor != before.supervisor and now.state == "serving"


def test_a_supervisor_killed_during_a_drain_leaves_no_deaf_engine(
    engine: LiveEngine, under_load: Callable[..., Any]
) -> None:
    """Clients wait meanwhile, and are answered by the same process."""
    front = Front(front_path(engine.pid, os.geteuid()))
    with under_load(clients=8) as load:
        before = client.status(engine.name)
        assert before is not None
        front.close()
        os.kill(before.supervisor, signal.SIGKILL)
        wait_until(lambda: followed(engine, before))
        assert front.state().accepting
        done = load.done
        wait_until(lambda: load.done > done + 16)
    assert load.failed == []
    after = client.status(engine.name)
    assert after is not None and after.pid == engine.pid


def test_a_supervisor_killed_under_load_is_followed_by_another(
    engine: LiveEngine, under_load: Callable[..., Any]
) -> None:
    with under_load(clients=8) as load:
        before = client.status(engine.name)
        assert before is not None
        os.kill(before.supervisor, signal.SIGKILL)

        wait_until(lambda: followed(engine, before))
        after = client.status(engine.name)
        assert after is not None
        assert after.pid == engine.pid == before.pid
        done = load.done
        wait_until(lambda: load.done > done + 16)
    assert load.failed == []
