"""What a supervisor says, for tests that wait for it."""

from engines.supervisor_client import client
from engines.supervisor_client.status import SupervisorStatus
from store.reports.outcomes import RUNNING
from tests.waiting import wait_until


def state_of(name: str) -> str | None:
    """The words of its state, None where nobody answers."""
    status = client.status(name)
    return None if status is None else status.state


def answering(name: str) -> SupervisorStatus:
    """What it says, where somebody must answer: on a busy host not at once."""
    answers: list[SupervisorStatus] = []

    def answers_now() -> bool:
        status = client.status(name)
        if status is not None:
            answers.append(status)
        return status is not None

    wait_until(answers_now)
    return answers[-1]


def is_at_rest(status: SupervisorStatus) -> bool:
    """Whether the engine serves and no swap of it runs."""
    swapping = status.swap is not None and status.swap.outcome == RUNNING
    return status.state == "serving" and not swapping
