"""The engine environment and the demo models: made once, found fast.

    provision(report, model, version)   makes what is missing; raises ProvisionFailed
    find_environment() -> Environment   what is ready, or None, without starting anything
    environment_of(version)             the same of a version that is asked for; raises NotAchieved
    resolve_model(name) -> str          a demo model's name or a path, as vLLM takes it

Several versions of vLLM live side by side, each in an environment of its own.
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
from engines.provision.places import (
    VLLM_VERSION,
    data_dir,
    engine_kind,
    engines_dir,
    log_file,
)
from engines.provision.state import exclusive
from engines.provision.steps import Progress
from engines.provision.versions import checked_version, environment_of

__all__ = [
    "MODEL_NAMES",
    "Environment",
    "Progress",
    "ProvisionFailed",
    "data_dir",
    "engine_kind",
    "environment_of",
    "find_environment",
    "provision",
    "resolve_model",
]


def provision(
    report: Callable[[Progress], None],
    model: str | None = None,
    version: str | None = None,
) -> Environment:
    """Make the engine environment for this host and its demo models, or finish making them.

    A demo model that not every environment comes with is made if it is `model`; any other model
    is no matter of ours. `version` is vLLM's, ours if None. `report` is called in this thread at
    every turn. Raises `BadInput` for what is no version and `ProvisionFailed`; what is done by then
    stays done.
    """
    version = VLLM_VERSION if version is None else checked_version(version)
    if (environment := _ready(model, version)) is not None:
        return environment
    began = time.monotonic()

    def waiting(_: float) -> None:
        message = "another `trimtab provision` is at work; waiting for it"
        report(Progress("waiting", 0, 0, None, message, time.monotonic() - began))

    try:
        with exclusive(engines_dir() / ".lock", waiting) as lock:
            return _ready(model, version) or _make(report, model, version, lock, began)
    except OSError as error:
        raise ProvisionFailed(
            f"cannot write in {data_dir()}",
            error.strerror or "",
            "make it writable, or set TRIMTAB_DATA_DIR to another directory",
        ) from None


def _ready(model: str | None, version: str) -> Environment | None:
    """The finished environment, if `model` is in it or need not be."""
    environment = find_environment(version=version)
    lacks = model in MODEL_NAMES and environment is not None and model not in environment.models
    return None if lacks else environment


def _make(
    report: Callable[[Progress], None],
    model: str | None,
    version: str,
    lock: int,
    began: float,
) -> Environment:
    from engines.provision.commands import Runner
    from engines.provision.steps import Maker, follower

    kind = engine_kind()
    temporary = engines_dir() / ".tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    maker = Maker(kind, version, Runner(log_file("provision"), lock, temporary))
    steps = maker.steps(model)
    for index, step in enumerate(steps, 1):
        follow = follower(report, step, index, len(steps), began)
        follow(0.0, "begun")
        result = step.act(follow)
        maker.finish(step, result)
        follow(1.0, "done")
    shutil.rmtree(temporary, ignore_errors=True)
    environment = _ready(model, version)
    if environment is None:
        raise ProvisionFailed(
            "the engine environment is not whole",
            "something removed parts of it meanwhile",
            "run the same command again",
        )
    return environment
