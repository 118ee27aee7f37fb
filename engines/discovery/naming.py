"""Names of engines: what `trimtab serve --name` gave, else the end of the model's name."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from engines.host.users import other_user
from engines.serving.names import base_name
from engines.serving.registry import list_serving
from engines.web.address import host_and_port

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._+-]+")
_SNAPSHOT = re.compile(r"(?:^|/)(?:models--)?([^/]+)/snapshots/[0-9a-f]{40}/?$")
_LONGEST = 60


def given_names() -> dict[int, str]:
    """The names under which trimtab started the engines that live, by PID."""
    return {serving.pid: base_name(serving.name) for serving in list_serving()}


def default_name(model: str | None, url: str) -> str:
    """The last part of the model's name; its host where the model is not known.

    A snapshot in the hub's cache goes by the name of its repository, not by its revision. Only
    letters that a shell leaves alone are kept, as names are typed after `--engine`.
    """
    snapshot = _SNAPSHOT.search(model or "")
    path = model or "" if snapshot is None else snapshot[1].replace("--", "/")
    above, _, last = path.rstrip("/").rpartition("/")
    if last.isdigit():  # a version's directory; a bare number would be read as a port
        last = f"{above.rpartition('/')[2] or 'model'}-{last}"
    last = last or host_and_port(url)[0]
    return _NOT_IN_NAME.sub("-", last).strip("-.")[:_LONGEST] or "engine"


def make_unique(engines: Sequence[tuple[str, str, int]]) -> list[str]:
    """Names that differ, for engines told by name, URL and PID, oldest first.

    Of several with one name the one keeps it that a person gave it to, else the oldest of our own
    user's; the others get their port. So no stranger's process takes a name from ours.
    """
    given_pids = {serving.pid for serving in list_serving()}
    names: dict[int, str] = {}
    for index in sorted(
        range(len(engines)), key=lambda index: _rank(engines[index][2], given_pids)
    ):
        own_name, url, pid = engines[index]
        name = own_name
        if name in names.values():
            name = f"{name}-{host_and_port(url)[1] or pid}"
        if name in names.values():
            name = f"{own_name}-{pid}"
        names[index] = name
    return [names[index] for index in range(len(engines))]


def _rank(pid: int, given_pids: Collection[int]) -> int:
    if pid in given_pids:
        return 0
    return 2 if other_user(pid) else 1
