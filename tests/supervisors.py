"""What a supervisor says, for tests that wait for it."""

from engines.supervisor_client import client
from engines.supervisor_client.status import SupervisorStatus
from store.reports.outcomes import RUNNING


def state_of(name: str) -> str | None:
    """The words of its state, None where nobody answers."""
    status = client.status(name)
    return None if status is None else status.state


def answering(name: str) -> SupervisorStatus:
    """What it says, where somebody must answer."""
    status = client.status(name)
    assert status is not None
    return status


def is_at_rest(status: SupervisorStatus) -> bool:
    """Whether the engine serves and no swap of it runs."""
    swapping = status.swap is not None and status.swap.outcome == RUNNING
    return status.state == "serving" and not swapping
