"""What a supervisor says of itself and of its engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engines.serving.stopping import Stopped
from engines.supervisor_client.adoption_report import AdoptionReport
from store.reports.fields import a_count, a_list, a_number, a_text, an_object
from store.reports.swap import SwapReport


@dataclass(frozen=True, slots=True)
class SupervisorStatus:
    """`state` is the words of a state (`engines/supervisor/states/state.py`), `supervisor` its PID,
    `pid` that of its engine, `failures` the crashes in a row.

    `variant` is what serves and `before` what a swap back would go to, None where there is nothing.
    `launch_id` stands for both with their whole commands: it differs once either is another;
    `before_command` is what follows `vllm serve` in that of `before`, secrets hidden. `swap`
    and `adoption` are the last of their kind, `stopped` how the engine ended.
    """

    state: str
    supervisor: int
    pid: int | None = None
    failures: int = 0
    variant: str = ""
    before: str | None = None
    launch_id: str = ""
    before_command: tuple[str, ...] = ()
    swap: SwapReport | None = None
    adoption: AdoptionReport | None = None
    stopped: Stopped | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        values = {name: getattr(self, name) for name in _PLAIN}
        return values | {
            "before_command": list(self.before_command),
            "swap": None if self.swap is None else self.swap.to_json(),
            "adoption": None if self.adoption is None else self.adoption.to_json(),
            "stopped": None if self.stopped is None else asdict(self.stopped),
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> SupervisorStatus:
        """What `to_json` wrote; a field that is missing or of another type is unknown, as
        supervisors of an earlier trimtab live on."""
        swap, adoption = an_object(written.get("swap")), an_object(written.get("adoption"))
        return cls(
            state=a_text(written.get("state")) or "",
            supervisor=a_count(written.get("supervisor")) or 0,
            pid=a_count(written.get("pid")),
            failures=a_count(written.get("failures")) or 0,
            variant=a_text(written.get("variant")) or "",
            before=a_text(written.get("before")),
            launch_id=a_text(written.get("launch_id")) or "",
            before_command=tuple(
                word for word in a_list(written.get("before_command")) if isinstance(word, str)
            ),
            swap=None if swap is None else SwapReport.from_json(swap),
            adoption=None if adoption is None else AdoptionReport.from_json(adoption),
            stopped=_stopped(an_object(written.get("stopped"))),
        )


def _stopped(written: Mapping[str, Any] | None) -> Stopped | None:
    if written is None:
        return None
    return Stopped(
        name=a_text(written.get("name")) or "",
        pid=a_count(written.get("pid")) or 0,
        drained=written.get("drained") is True,
        killed=tuple(pid for pid in a_list(written.get("killed")) if isinstance(pid, int)),
        took_s=a_number(written.get("took_s")) or 0.0,
        remaining=tuple(pid for pid in a_list(written.get("remaining")) if isinstance(pid, int)),
    )


_PLAIN = ("state", "supervisor", "pid", "failures", "variant", "before", "launch_id")
