"""The variants of one engine: those of the settings, and those this machine offers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.settings import Settings
from engines.processes import serve_arguments
from engines.procfs import working_directory
from engines.provision.environment import made_models
from engines.variants import Variant, offered, running_variant
from store.errors import BadInput, NotAchieved

if TYPE_CHECKING:
    from engines.discovery import EngineInfo


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
            return variant
    listed = ", ".join(variant.name for variant in variants)
    raise BadInput(f"There is no variant {name!r}", f"There are: {listed}", "trimtab variants")


def _resolved(model: str) -> str:
    """The path of a demo model or of what begins with `~`; anything else as vLLM is to take it."""
    made = made_models().get(model)
    if made is not None:
        return str(made)
    return str(Path(model).expanduser()) if model.startswith("~") else model
