"""trimtab provision"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.shared.options import command, common
from app.text.output import print_json, print_line
from app.text.provisioning import provision_with_display
from engines.provision.environment import MODEL_NAMES
from engines.provision.places import VLLM_VERSION

if TYPE_CHECKING:
    from engines.provision import Environment


@command("provision")
@click.option(
    "--model",
    type=click.Choice(MODEL_NAMES),
    help="A demo model that is wanted too: smollm2, with smollm2-int4, is fetched (93 MB).",
)
@click.option(
    "--version",
    metavar="V",
    help=f"The version of vLLM, as in {VLLM_VERSION}, which it is by itself; several live side"
    " by side.",
)
@common
def command_(*, model: str | None, version: str | None, as_json: bool, db: Path | None) -> None:
    """Make the engine environment and the demo models; what is there already is kept.

    vLLM for the GPU where there is one, else for the CPU, in an environment of its own under the
    user's data directory, with the models tiny and tiny-int4. It may be interrupted and run again.
    With --version another vLLM is put beside it, for trimtab serve --version.
    """
    del db
    environment = provision_with_display(model, version)
    if as_json:
        print_json(environment_json(environment))
        return
    print_line(f"vLLM {environment.version}: {environment.python}")
    for name, path in environment.models.items():
        print_line(f"{name}: {path}")


def environment_json(environment: Environment) -> dict[str, object]:
    """The environment as scripts read it."""
    return {
        "python": str(environment.python),
        "vllm_version": environment.version,
        "models": {name: str(path) for name, path in environment.models.items()},
    }
