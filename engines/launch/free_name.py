"""A name for a new engine."""

from __future__ import annotations

from pathlib import Path

from engines.serving.names import base_name, check_given
from engines.serving.registry import find_serving, list_serving
from engines.supervisor_client.orphaned import is_orphaned
from store.errors import BadInput


def free_name(asked_name: str | None, model: str) -> str:
    """The name asked for, or one made of the model's that no living engine has.

    Raises `BadInput` for one that is taken or cannot be one.
    """
    if asked_name is not None:
        check_given(asked_name)
        running = find_serving(asked_name)
        if running is not None:
            is_lost = is_orphaned(running)
            raise BadInput(
                f"an engine named {asked_name} already runs",
                "it has lost its supervisor" if is_lost else "",
                f"`trimtab adopt {asked_name}` takes it over as it runs"
                if is_lost
                else f"choose another --name, or `trimtab stop {asked_name}`",
            )
        return asked_name
    base = Path(model).name
    stem = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in base)
    stem = stem.lstrip("._-")[:50] or "engine"
    taken_names = {base_name(engine.name) for engine in list_serving()}
    return next(n for n in (stem, *(f"{stem}-{i}" for i in range(2, 999))) if n not in taken_names)
