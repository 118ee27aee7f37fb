"""What a person is shown before an engine is adopted; no secret of its command or environment."""

from __future__ import annotations

import re
import shlex
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engines.cleaning.redact import redact_arguments, redact_environment
from store.foreign_text import printable

if TYPE_CHECKING:
    from engines.adoption.plan import AdoptionPlan
    from store.ledger.connection import Ledger

LONGEST_VALUE = 120
_MATTERS = re.compile(
    "VLLM_|CUDA_|NVIDIA_|HIP_|ROCR_|HF_|HUGGING|TRANSFORMERS_|TORCH|PYTORCH_|NCCL_|GLOO_|OMP_|MKL_"
    "|KMP_|LD_|PYTHON|VIRTUAL_ENV|CONDA_|PATH|TMPDIR|LMCACHE_|TRIMTAB_"
)
"""How the names of variables begin that change how vLLM runs."""


def shown_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables without secrets, those first that change how vLLM runs."""
    redacted = redact_environment(environ)
    ordered = sorted(redacted, key=lambda name: (not _MATTERS.match(name), name))
    return {printable(name): printable(redacted[name], LONGEST_VALUE) for name in ordered}


def learned_start_s(plan: AdoptionPlan, ledger: Ledger) -> float | None:
    """Seconds that a start like this one took before, the median; None where none is known."""
    from engines.supervisor.common.telling import start_key
    from store.tables.starts import alike

    known = alike(ledger, *start_key(plan.launch), beside=False)
    return statistics.median(start.took_s for start in known) if known else None


def plan_json(plan: AdoptionPlan, start_s: float | None) -> dict[str, Any]:
    """The plan for a program; `start_s` is how long the restart takes, if that is known."""
    origin = plan.origin
    return {
        "name": plan.launch.name,
        "url": plan.launch.url,
        "pid": origin.pid,
        "restarts": plan.restarts,
        "command": [printable(word, 1000) for word in redact_arguments(origin.command)],
        "directory": printable(origin.directory, 1000),
        "environment": shown_environment(origin.environ),
        "added": shown_environment(_added(plan)),
        "connections": "refused" if plan.why_refused else "wait" if plan.restarts else "served",
        "why_refused": plan.why_refused,
        "start_s": start_s,
    }


def plan_lines(plan: AdoptionPlan, start_s: float | None) -> list[str]:
    """The plan for a person."""
    plan_values = plan_json(plan, start_s)
    lines = [
        f"{plan_values['name']}: process {plan_values['pid']} at {plan_values['url']}",
        f"command      {shlex.join(plan_values['command'])}",
        f"directory    {plan_values['directory']}",
        *_table("environment", plan_values["environment"]),
        *_table("added", plan_values["added"]),
    ]
    if not plan.restarts:
        return [*lines, "it is taken over as it runs: no restart, nobody notices"]
    about = "as long as a start takes" if start_s is None else f"for about {start_s:.0f} s"
    wait = f"connections  wait in the queue {about}; none is refused"
    if plan.why_refused:
        wait = (
            "connections  some are refused when it ends, then they wait in the queue "
            f"{about}: its socket cannot be had ({plan.why_refused}); root may, or anybody with "
            "kernel.yama.ptrace_scope=0"
        )
    lines += [wait, "requests     what runs is finished first, as far as --drain allows"]
    if plan.origin.output is not None:
        from engines.provision.places import log_file

        lines.append(
            f"output       no more to {printable(plan.origin.output)}, but to "
            f"{log_file(plan.launch.name)}"
        )
    if plan.script is not None:
        words = shlex.join(redact_arguments(plan.script.arguments))
        lines.append(
            f"beware       {printable(words)} (PID {plan.script.pid}) started it: if it would "
            "start it again, end it first"
        )
    return lines


def _added(plan: AdoptionPlan) -> dict[str, str]:
    before = plan.origin.environ
    return {name: v for name, v in plan.launch.environ.items() if before.get(name) != v}


def _table(title: str, variables: Mapping[str, str]) -> list[str]:
    heads = [title, *([""] * len(variables))]
    return [
        f"{head:11}  {name}={value}"
        for head, (name, value) in zip(heads, variables.items(), strict=False)
    ]
