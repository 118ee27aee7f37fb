"""Which engine is told the API key."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from engines.command_line.flags import cut
from engines.host.procfs import read_process, read_text, user_id
from engines.web.address import host_and_port

_VARIABLE = "VLLM_API_KEY"


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """A person's API key, and the normalised addresses that they named themselves.

    Any process can look like an engine, so the key goes to those addresses, and to an engine of our
    own user that was started with this very key. To nobody else.
    """

    key: str | None = field(default=None, repr=False)
    named: tuple[str, ...] = ()

    def of(self, url: str, pid: int | None = None) -> str | None:
        """The key for the engine at `url`, which is served by the process `pid` of this machine."""
        if self.key is None:
            return None
        started_with = pid is not None and _was_started_with(pid, self.key)
        return self.key if started_with or self.is_named(url) else None

    def is_named(self, url: str) -> bool:
        """Whether a person gave this address."""
        return any(_origin(url) == _origin(address) for address in self.named)


NO_KEY = ApiKeys()


def _origin(url: str) -> tuple[str, tuple[str, int]]:
    return url.partition("://")[0], host_and_port(url)


def _was_started_with(pid: int, key: str) -> bool:
    if user_id(pid) != os.geteuid():
        return False
    process = read_process(pid)
    words = () if process is None else process.arguments
    given = (flag.words for flag in cut(words) if flag.name == "api-key")
    values = {value for first, *rest in given for value in (*rest, first.partition("=")[2])}
    variables = (read_text(f"/proc/{pid}/environ") or "").split("\0")
    return key in values or f"{_VARIABLE}={key}" in variables
