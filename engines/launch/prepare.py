"""Start `vllm serve` with the live knobs loaded, in a session of its own that outlives us.

launch = prepare(LaunchSpec("tiny"))       everything checked, nothing started
started = spawn(launch)                    its process, and its file among those we serve
wait_healthy(started, on_phase=...)
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from engines.command.arguments import DEFAULT_PORT, read_arguments
from engines.command.flags import last_value
from engines.control.inside_path import front_environment
from engines.host import lifetime
from engines.host.priority import give_way
from engines.host.processes import serve_arguments
from engines.launch.command import (
    LOCALHOST,
    Vllm,
    choose_cores,
    complete_arguments,
    find_vllm,
    launch_environment,
    take_secrets,
)
from engines.provision.environment import MODEL_NAMES
from engines.provision.models import resolve_model
from engines.provision.places import log_file
from engines.serving import registry as serving
from engines.serving.startup import Phase, Started, StartFailed, wait_healthy
from engines.text.plain import printable
from engines.text.redact import redact_arguments
from store.clock import now_ms
from store.errors import BadInput, NotAchieved

__all__ = [
    "Launch",
    "LaunchSpec",
    "Phase",
    "StartFailed",
    "Started",
    "prepare",
    "spawn",
    "wait_healthy",
]

AS_STARTED = "start"
"""The variant of an engine that was never swapped."""
BEFORE = "before"
"""What the variant of a swap back is called while nobody knows which that is."""
_PORTS_TRIED = 100
_KILLED_S = 5.0


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """What to serve. `model` is a demo model's name, a directory, or a hub name already on this
    host; `arguments` go to vLLM as they are; `python` is that of a vLLM environment, the
    provisioned one if None; `environ` is this process's if None; `db` the ledger that its
    supervisor tells of its life, none if None."""

    model: str
    name: str | None = None
    arguments: tuple[str, ...] = ()
    python: Path | None = None
    environ: Mapping[str, str] | None = None
    db: Path | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """An engine ready to be started. `address` is where it listens, `url` where it is reached from
    here, `gives_way` whether its watchers go before it, `variant` the name of the variant it became
    by the swap `swap_id`, `db` the ledger that is told of its life (a path)."""

    name: str
    model: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(repr=False)
    address: tuple[str, int]
    url: str
    cores: tuple[int, ...] = ()
    log_only: bool = False
    gives_way: bool = False
    variant: str = AS_STARTED
    swap_id: str | None = None
    db: str | None = None
    directory: str | None = None

    @property
    def serve_at(self) -> int:
        """Where the word before vLLM's arguments stands: `serve`, or the module's name."""
        return len(self.command) - len(serve_arguments(self.command) or ()) - 1

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows `vllm serve`."""
        return self.command[self.serve_at + 1 :]


def prepare(spec: LaunchSpec) -> Launch:
    """The command, environment and address of an engine.

    Raises `BadInput` for a name in use or a bad model, `NotAchieved` where no vLLM is found or the
    port asked for is taken.
    """
    model = resolve_model(spec.model)
    vllm = find_vllm(spec.python)
    name = free_name(spec.name, spec.model)
    arguments, secrets = take_secrets(spec.arguments)
    told = read_arguments([model, *arguments])
    host = last_value(arguments, "host") or LOCALHOST
    port = _port(host, told.port)
    cores = _cores(vllm)
    if spec.model in MODEL_NAMES and told.served_name is None:
        arguments = ("--served-model-name", spec.model, *arguments)
    complete = complete_arguments(spec.model, arguments, host=host, port=port, vllm=vllm)
    scheme = "https" if told.tls else "http"
    reached = LOCALHOST if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared
    return Launch(
        name=name,
        model=told.served_name or spec.model,
        command=(*vllm.command, "serve", model, *complete),
        environ=launch_environment(
            spec.environ if spec.environ is not None else os.environ,
            secrets,
            vllm,
            cores,
            arguments,
        ),
        address=(host, port),
        url=f"{scheme}://{f'[{reached}]' if ':' in reached else reached}:{port}{told.root_path}",
        cores=cores,
        log_only=told.tls or told.unix_socket is not None,
        # Nobody's production, and its watchers share the host with it.
        gives_way=vllm.is_cpu and spec.model in MODEL_NAMES,
        db=None if spec.db is None else str(spec.db),
    )


def spawn(launch: Launch, listener: socket.socket | None = None, *, held: bool = False) -> Started:
    """Start a prepared engine and write down that it is ours; returns at once.

    It inherits `listener` where one is given, and takes nothing from it at first if `held`. A held
    one does not give way either: beside a busy engine of the same priority it would hardly start.
    Raises `NotAchieved` where the process cannot be started or written down.
    """
    environ = dict(launch.environ)
    if listener is not None:
        environ |= front_environment(listener.fileno(), held=held)
    log_path = log_file(launch.name)
    process = _spawn(launch, environ, log_path, listener)
    if launch.gives_way and not held:
        give_way(process.pid)
    ticks = lifetime.start_ticks(process.pid) or 0
    known = serving.Serving(
        name=launch.name,
        pid=process.pid,
        start_ticks=ticks,
        url=launch.url,
        model=launch.model,
        log=str(log_path),
        arguments=redact_arguments(launch.command[launch.serve_at :]),
        cores=launch.cores,
        started_ms=now_ms(),
    )
    try:
        serving.save(known)
    except OSError as error:
        # Nobody could find it again to stop it.
        lifetime.send(process.pid, ticks, signal.SIGKILL)
        lifetime.exit_status(process.pid, wait_s=_KILLED_S)
        raise NotAchieved(
            f"{launch.name} cannot be written down as running", error.strerror or ""
        ) from None
    return Started(launch.name, process.pid, ticks, launch.url, log_path, launch.log_only)


def _spawn(
    launch: Launch,
    environ: Mapping[str, str],
    log_path: Path,
    listener: socket.socket | None,
) -> subprocess.Popen[bytes]:
    """Run the engine with its output in a log of its own; the log before it is kept as `.1`."""
    try:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        if log_path.exists():
            log_path.replace(log_path.with_name(f"{log_path.name}.1"))
        descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise NotAchieved(
            f"cannot write the engine's log {log_path}", error.strerror or ""
        ) from None
    try:
        process = subprocess.Popen(
            launch.command,
            cwd=launch.directory,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
            pass_fds=() if listener is None else (listener.fileno(),),
        )
    except OSError as error:
        raise NotAchieved(
            f"cannot start {launch.command[0]}",
            error.strerror or "",
            "run `trimtab provision`, or name another environment",
        ) from None
    finally:
        os.close(descriptor)
    lifetime.adopt_child(process)
    return process


def free_name(asked: str | None, model: str) -> str:
    """The name asked for, or one made of the model's that no living engine has.

    Raises `BadInput` for one that is taken or kept for engines in a swap.
    """
    if asked is not None:
        if asked.endswith(serving.SWAPPING):
            raise BadInput(
                f"{asked} cannot be a name",
                f"names that end in {' or '.join(serving.SWAPPING)} are those of engines in a swap",
            )
        running = serving.find_serving(asked)
        if running is not None:
            from engines.adoption.orphaned import is_orphaned

            lost = is_orphaned(running)
            raise BadInput(
                f"an engine named {asked} already runs",
                "it has lost its supervisor" if lost else "",
                f"`trimtab adopt {asked}` takes it over as it runs"
                if lost
                else f"choose another --name, or `trimtab stop {asked}`",
            )
        return asked
    base = Path(model).name
    stem = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in base)
    stem = stem.lstrip("._-")[:50] or "engine"
    stem = stem.replace(".next", "-next").replace(".other", "-other")
    taken = {engine.name for engine in serving.list_serving()}
    return next(n for n in (stem, *(f"{stem}-{i}" for i in range(2, 999))) if n not in taken)


def _cores(vllm: Vllm) -> tuple[int, ...]:
    if not vllm.is_cpu:
        return ()
    used = {core for engine in serving.list_serving() for core in engine.cores}
    return choose_cores(sorted(os.sched_getaffinity(0)), used)


def _port(host: str, asked: int | None) -> int:
    """The port asked for, which must be free, else the first free one from 8000 up."""
    if asked is not None:
        if not _is_free(host, asked):
            raise NotAchieved(
                f"port {asked} of {printable(host)} is taken or not ours to use",
                "",
                "leave out --port to get a free one",
            )
        return asked
    # An engine that still loads has not opened its port yet.
    promised = {urlsplit(engine.url).port for engine in serving.list_serving()}
    for port in range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED):
        if port not in promised and _is_free(host, port):
            return port
    raise NotAchieved(f"no port from {DEFAULT_PORT} up is free", "", "give one with --port")


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError:
        return False
    return True
