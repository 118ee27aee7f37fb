"""Starting a prepared engine in a session of its own that outlives us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from engines.cleaning.redact import redact_arguments
from engines.control.inside_path import front_environment
from engines.host import lifetime
from engines.host.priority import give_way
from engines.launch.launch import Launch
from engines.provision.places import log_file
from engines.serving import registry
from engines.serving.started import Started
from store.clock import now_ms
from store.errors import NotAchieved
from store.private_files import open_private

_KILLED_S = 5.0


def spawn(
    launch: Launch, listener: socket.socket, *, held: bool = False, swap_id: str | None = None
) -> Started:
    """Start a prepared engine and write down that it is ours; returns at once.

    It inherits `listener`, and takes nothing from it at first if `held`. A held one does not give
    way either: beside a busy engine of the same priority it would hardly start. `swap_id` is the
    swap that it is started for.
    Raises `NotAchieved` where the process cannot be started or written down.
    """
    environ = {**launch.environ, **front_environment(listener.fileno(), held=held)}
    log_path = log_file(launch.name)
    process = _spawn(launch, environ, log_path, listener)
    if launch.gives_way and not held:
        give_way(process.pid)
    ticks = lifetime.start_ticks(process.pid) or 0
    serving = registry.Serving(
        name=launch.name,
        pid=process.pid,
        start_ticks=ticks,
        url=launch.url,
        model=launch.model,
        log=str(log_path),
        arguments=redact_arguments(launch.command[launch.serve_at :]),
        cores=launch.cores,
        started_ms=now_ms(),
        boot=lifetime.boot_id(),
        program=lifetime.program_of(process.pid),
        swap_id=swap_id or launch.swap_id,
        variant=launch.variant,
    )
    try:
        registry.save(serving)
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
    listener: socket.socket,
) -> subprocess.Popen[bytes]:
    """Run the engine with its output in a log of its own; the log before it is kept as `.1`."""
    try:
        if log_path.exists():
            log_path.replace(log_path.with_name(f"{log_path.name}.1"))
        descriptor = open_private(log_path, os.O_WRONLY | os.O_APPEND)
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
            pass_fds=(listener.fileno(),),
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
