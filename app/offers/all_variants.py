"""The variants of one engine: those of the settings, and those this machine offers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from app.settings.values import Settings
from engines.command_line.flags import names_of
from engines.host.processes import serve_arguments
from engines.host.procfs import working_directory
from engines.provision.environment import made_models
from engines.variants.estimates import running_variant
from engines.variants.machine_offers import offered
from engines.variants.variant import Variant
from store.errors import BadInput, NotAchieved
from store.given_paths import given_path

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo

_OF_THE_ADDRESS = frozenset(
    ("host", "port", "uds", "root-path", "ssl-keyfile", "ssl-certfile", "config", "headless")
)


def variants_of(engine: EngineInfo, settings: Settings) -> list[Variant]:
    """Everything the engine could be swapped to, the user's own variants first.

    Raises NotAchieved for an engine whose command line cannot be seen: without it no other one can
    be made.
    """
    running = running_variant(engine)
    arguments = serve_arguments(engine.arguments)
    if engine.pid is None or running is None or arguments is None:
        why = engine.reason if engine.pid is None else "its command line names no model"
        raise NotAchieved(f"{engine.name} cannot be swapped: {why}")
    configured = [
        Variant(
            name,
            running.model if table.model is None else _resolved(table.model),
            table.arguments,
            table.environment,
            note="of your settings",
        )
        for name, table in settings.variants.items()
    ]
    directory = working_directory(engine.pid)
    return offered(running.model, arguments, configured, directory=directory)


def find_variant(name: str, variants: list[Variant]) -> Variant:
    """The variant of this name; raises BadInput, listing them."""
    for variant in variants:
        if variant.name == name:
            check_address(variant)
            return variant
    listed = ", ".join(variant.name for variant in variants)
    raise BadInput(f"There is no variant {name!r}", f"There are: {listed}", "trimtab variants")


def check_address(variant: Variant) -> None:
    """Raises BadInput for arguments that would move the engine away from its address."""
    moved = sorted(_OF_THE_ADDRESS & names_of(variant.arguments))
    if moved:
        raise BadInput(
            f"{variant.name} names --{', --'.join(moved)}",
            "A swap keeps the address, which the supervisor holds",
            "Leave it out of the variant's arguments",
        )


def _resolved(model: str) -> str:
    """The path of a demo model or of what begins with `~`; anything else as vLLM is to take it."""
    made = made_models().get(model)
    if made is not None:
        return str(made)
    with contextlib.suppress(RuntimeError):  # the home of nobody here: vLLM will say so
        return str(given_path(model)) if model.startswith("~") else model
    return model
