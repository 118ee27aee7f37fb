"""An engine checked and ready to be started: command, environment, name and address.

with prepare(LaunchSpec("tiny")) as (launch, listener):   everything checked, nothing started
    started = spawn(launch, listener)                     its process, and its file among ours
wait_healthy(started, on_phase=...)
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from engines.command_line.arguments import read_arguments
from engines.command_line.flags import last_value
from engines.host.cores import available_cores, choose_cores
from engines.launch.command import (
    LOCALHOST,
    Vllm,
    complete_arguments,
    find_vllm,
    launch_environment,
    take_secrets,
)
from engines.launch.free_name import free_name
from engines.launch.launch import Launch, LaunchSpec
from engines.launch.ports import take_port
from engines.provision.environment import MODEL_NAMES
from engines.provision.models import resolve_model
from engines.serving import registry


@contextmanager
def prepare(spec: LaunchSpec) -> Iterator[tuple[Launch, socket.socket]]:
    """The command, environment and address of an engine, and the socket that listens there.

    The socket is closed with the block: whoever serves on it has inherited it by then. Raises
    `BadInput` for a name in use or a bad model, `NotAchieved` where no vLLM is found or the port
    asked for is taken.
    """
    model = resolve_model(spec.model)
    vllm = find_vllm(spec.python)
    name = free_name(spec.name, spec.model)
    arguments, secrets = take_secrets(spec.arguments)
    parsed = read_arguments([model, *arguments])
    host = last_value(arguments, "host") or LOCALHOST
    cores = _cores(vllm)
    if spec.model in MODEL_NAMES and parsed.served_name is None:
        arguments = ("--served-model-name", spec.model, *arguments)
    scheme = "https" if parsed.tls else "http"
    reached_host = LOCALHOST if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared
    reached_host = f"[{reached_host}]" if ":" in reached_host else reached_host
    with take_port(host, parsed.port) as listener:
        port = listener.getsockname()[1]
        all_arguments = complete_arguments(spec.model, arguments, host=host, port=port, vllm=vllm)
        launch = Launch(
            name=name,
            model=parsed.served_name or spec.model,
            command=(*vllm.command, "serve", model, *all_arguments),
            environ=launch_environment(
                spec.environ if spec.environ is not None else os.environ,
                secrets,
                vllm,
                cores,
                arguments,
            ),
            address=(host, port),
            url=f"{scheme}://{reached_host}:{port}{parsed.root_path}",
            cores=cores,
            log_only=parsed.tls or parsed.unix_socket is not None,
            # Nobody's production, and its watchers share the host with it.
            gives_way=vllm.is_cpu and spec.model in MODEL_NAMES,
            db=None if spec.db is None else str(spec.db),
        )
        yield launch, listener


def _cores(vllm: Vllm) -> tuple[int, ...]:
    if not vllm.is_cpu:
        return ()
    used_cores = {core for engine in registry.list_serving() for core in engine.cores}
    return choose_cores(available_cores(), used_cores)
