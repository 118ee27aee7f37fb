"""The engine environment and the demo models: made once, found fast.

    provision(report, model) -> Environment   makes what is missing; raises ProvisionFailed
    find_environment() -> Environment         what is ready, or None, without starting anything
    resolve_model(name) -> str                a demo model's name or a path, as vLLM takes it

A finished step is written down, so a run that was killed goes on where it stopped. Two runs at once
do not meet: the second waits for the first, and then finds everything done.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from engines.provision.environment import MODEL_NAMES, Environment, find_environment
from engines.provision.failures import ProvisionFailed
from engines.provision.models import resolve_model
from engines.provision.places import data_dir, engine_kind, environment_dir, log_file
from engines.provision.state import exclusive
from engines.provision.steps import Progress

__all__ = [
    "MODEL_NAMES",
    "Environment",
    "Progress",
    "ProvisionFailed",
    "data_dir",
    "engine_kind",
    "find_environment",
    "provision",
    "resolve_model",
]


def provision(report: Callable[[Progress], None], model: str | None = None) -> Environment:
    """Make the engine environment for this host and its demo models, or finish making them.

    A demo model that not every environment comes with is made if it is `model`; any other model
    is no matter of ours. `report` is called in this thread at every turn. Raises
    `ProvisionFailed`; what is done by then stays done.
    """
    if (environment := _ready(model)) is not None:
        return environment
    began = time.monotonic()

    def waiting(_: float) -> None:
        message = "another `trimtab provision` is at work; waiting for it"
        report(Progress("waiting", 0, 0, None, message, time.monotonic() - began))

    try:
        with exclusive(data_dir() / "engines" / ".lock", waiting) as lock:
            return _ready(model) or _make(report, model, lock, began)
    except OSError as error:
        raise ProvisionFailed(
            f"cannot write in {data_dir()}",
            error.strerror or "",
            "make it writable, or set TRIMTAB_DATA_DIR to another directory",
        ) from None


def _ready(model: str | None) -> Environment | None:
    """The finished environment, if `model` is in it or need not be."""
    environment = find_environment()
    lacks = model in MODEL_NAMES and environment is not None and model not in environment.models
    return None if lacks else environment


def _make(
    report: Callable[[Progress], None], model: str | None, lock: int, began: float
) -> Environment:
    from engines.provision.commands import Runner
    from engines.provision.steps import Maker, follower

    kind = engine_kind()
    temporary = environment_dir(kind).with_name(".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    maker = Maker(kind, Runner(log_file("provision"), lock, temporary))
    steps = maker.steps(model)
    for index, step in enumerate(steps, 1):
        follow = follower(report, step, index, len(steps), began)
        follow(0.0, "begun")
        result = step.act(follow)
        maker.finish(step, result)
        follow(1.0, "done")
    shutil.rmtree(temporary, ignore_errors=True)
    environment = _ready(model)
    if environment is None:
        raise ProvisionFailed(
            "the engine environment is not whole",
            "something removed parts of it meanwhile",
            "run `trimtab provision` again",
        )
    return environment
