"""Names of engines: what `trimtab serve --name` gave, else the end of the model's name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engines.serving.registry import list_serving
from engines.web.address import host_and_port

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST = 60


def given_name(pid: int) -> str | None:
    """The name under which trimtab started the engine with this PID."""
    return next((serving.name for serving in list_serving() if serving.pid == pid), None)


def default_name(model: str | None, url: str) -> str:
    """The last part of the model's name; its host where the model is not known.

    Only letters that a shell leaves alone are kept, as names are typed after `--engine`.
    """
    last = (model or "").rstrip("/").rpartition("/")[2] or host_and_port(url)[0]
    return _NOT_IN_NAME.sub("-", last).strip("-.")[:_LONGEST] or "engine"


def make_unique(engines: Sequence[tuple[str, str, int | None]]) -> list[str]:
    """Names that differ, for engines told by name, URL and PID: the first one keeps its own, later
    ones get their port."""
    taken: list[str] = []
    for own, url, pid in engines:
        name = own
        if name in taken:
            name = f"{name}-{host_and_port(url)[1] or pid}"
        if name in taken:
            name = f"{own}-{pid}"
        taken.append(name)
    return taken
