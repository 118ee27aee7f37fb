"""What a supervisor tells over its socket comes back as it was."""

import json
from dataclasses import replace

from engines.serving.stopping import Stopped
from engines.supervisor_client.adoption_report import AdoptionReport
from engines.supervisor_client.status import SupervisorStatus
from store.reports.outcomes import DONE
from store.reports.step_line import StepLine
from store.reports.swap import SwapReport

STATUS = SupervisorStatus(
    state="stopped",
    supervisor=12,
    pid=13,
    failures=1,
    variant="int4",
    before="start",
    launch_id="0123456789abcdef",
    swap=SwapReport("a", 5, "int4", "overlap", "running"),
    adoption=AdoptionReport(
        "chat", "http://127.0.0.1:8000", "beside", DONE, "", 13, None, 2.5, 30.0,
        (StepLine(0.0, "drain", "waits"),),
    ),
    stopped=Stopped("chat", 13, True, (14, 15), 2.5),
)  # fmt: skip


def test_it_comes_back_as_it_was() -> None:
    for status in (STATUS, SupervisorStatus("serving", 12)):
        assert SupervisorStatus.from_json(json.loads(json.dumps(status.to_json()))) == status


def test_a_supervisor_of_an_earlier_version_is_understood() -> None:
    written = json.loads(json.dumps(STATUS.to_json())) | {
        "swap": {"id": "a", "outcome": "running", "steps": []}
    }
    del written["launch_id"]
    status = SupervisorStatus.from_json(written)
    assert (status.launch_id, status.state) == ("", "stopped")
    assert status.swap is not None and status.swap.id == "a"
    assert replace(status, launch_id=STATUS.launch_id, swap=STATUS.swap) == STATUS
