"""What an engine was told on its command line, as far as attaching to it needs that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from engines.command_line.flags import last_value, names_of

DEFAULT_PORT = 8000
_ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


@dataclass(frozen=True, slots=True)
class LaunchArguments:
    """The part of `vllm serve`'s arguments that says where and as what it serves.

    `model` is None where it is not on the command line (a `--config` file, or the default model);
    `served_name` is what clients call it. `root_path` is empty where what was given is no plain
    path: put after an address, it could make another host of it. `certificate` is a file's name.
    `address` is where to listen if that was told in numbers.
    """

    model: str | None
    served_name: str | None
    port: int | None
    root_path: str
    unix_socket: str | None
    tls: bool
    headless: bool
    certificate: str | None = None
    address: str | None = None

    @property
    def shown_model(self) -> str | None:
        """The model as clients name it, so far as the command line tells."""
        return self.served_name or self.model


def read_arguments(launch: Sequence[str]) -> LaunchArguments:
    """Read the arguments that follow `vllm serve`.

    Flags are taken in each form vLLM takes them: `--flag value`, `--flag=value`, dashes or
    underscores; the last one given wins.
    """
    positional = launch[0] if launch and not launch[0].startswith("-") else None
    port = last_value(launch, "port")
    return LaunchArguments(
        model=positional or last_value(launch, "model"),
        served_name=last_value(launch, "served-model-name"),
        port=int(port) if port and port.isascii() and port.isdigit() else None,
        root_path=_plain_path(last_value(launch, "root-path") or ""),
        unix_socket=last_value(launch, "uds"),
        tls=any(last_value(launch, flag) for flag in ("ssl-keyfile", "ssl-certfile")),
        headless="headless" in names_of(launch),
        certificate=last_value(launch, "ssl-certfile"),
        address=_numeric(last_value(launch, "host") or ""),
    )


def _numeric(host: str) -> str | None:
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def _plain_path(path: str) -> str:
    path = path.rstrip("/")
    return path if _ROOT_PATH.fullmatch(path) else ""
