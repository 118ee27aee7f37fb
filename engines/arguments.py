"""What an engine was told on its command line, as far as attaching to it needs that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DEFAULT_PORT = 8000


@dataclass(frozen=True, slots=True)
class LaunchArguments:
    """The part of `vllm serve`'s arguments that says where and as what it serves.

    `model` is None where it is not on the command line (a `--config` file, or the default model);
    `served_name` is what clients call it.
    """

    model: str | None
    served_name: str | None
    port: int | None
    root_path: str
    unix_socket: str | None
    tls: bool
    headless: bool

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
    port = _value(launch, "port")
    return LaunchArguments(
        model=positional or _value(launch, "model"),
        served_name=_value(launch, "served-model-name"),
        port=int(port) if port and port.isascii() and port.isdigit() else None,
        root_path=(_value(launch, "root-path") or "").rstrip("/"),
        unix_socket=_value(launch, "uds"),
        tls=_value(launch, "ssl-keyfile") is not None or _value(launch, "ssl-certfile") is not None,
        headless=any(_flag(argument) == "headless" for argument in launch),
    )


def _flag(argument: str) -> str | None:
    """`--Served_Model_Name=x` → `served-model-name`; None for what is not a long flag."""
    if not argument.startswith("--"):
        return None
    return argument[2:].partition("=")[0].replace("_", "-")


def _value(launch: Sequence[str], flag: str) -> str | None:
    found = None
    for at, argument in enumerate(launch):
        if _flag(argument) != flag:
            continue
        _, equals, value = argument.partition("=")
        if equals:
            found = value
        elif at + 1 < len(launch) and not launch[at + 1].startswith("-"):
            found = launch[at + 1]
    return found
