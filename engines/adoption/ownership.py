"""Whom a running engine belongs to, and what to add there where it is not ours to restart."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.cleaning.redact import redact_arguments
from engines.command_line.arguments import read_arguments
from engines.command_line.flags import cut, joined, without
from engines.control.inside_path import INSIDE, assignments
from engines.host import procfs
from engines.host.procfs import Process, ancestors
from engines.host.users import other_user
from store.foreign_text import printable

_CONTAINERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Kubernetes pod", re.compile(r"kubepods\S*?pod([0-9a-f][0-9a-f_-]{10,})")),
    ("Podman container", re.compile(r"libpod-(?:conmon-)?([0-9a-f]{12})")),
    ("Docker container", re.compile(r"docker[-/]([0-9a-f]{12})")),
    ("containerd container", re.compile(r"cri-containerd[-:]([0-9a-f]{12})")),
    ("CRI-O container", re.compile(r"crio-([0-9a-f]{12})")),
    ("LXC container", re.compile(r"lxc(?:\.payload)?[./]([\w.-]+)")),
    ("nspawn container", re.compile(r"machine\.slice/machine-(.+?)\.scope")),
    ("nspawn container", re.compile(r"systemd-nspawn@(.+?)\.service")),
    ("containerd container", re.compile(r"/containerd/\S*?([0-9a-f]{12})")),
)
_JOB = re.compile(r"slurm\S*?/job_(\d+)")
_USER_MANAGER = re.compile(r"user@\d+\.service")
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
_MANAGERS = frozenset(
    {"supervisord", "runsv", "runsvdir", "s6-supervise", "s6-svscan", "supervise", "circusd"}
    | {"monit", "god", "honcho", "foreman"}
)
_PM2 = "PM2 v"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an engine is not restarted by us: a line each for what, why, and what to add there."""

    what: str
    why: str
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of systemd; `user` where it is one of a user's own manager."""

    name: str
    user: bool

    @property
    def systemctl(self) -> str:
        """The command that manages it."""
        return "systemctl --user" if self.user else "systemctl"


def container_in(cgroup: str) -> str | None:
    """The container that the text of /proc/PID/cgroup names: its kind and the start of its id."""
    for kind, pattern in _CONTAINERS:
        if match := pattern.search(cgroup):
            return f"{kind} {match[1][:36]}"
    return None


def unit_in(cgroup: str) -> Unit | None:
    """The service that the text of /proc/PID/cgroup names; None for a login's or terminal's scope,
    which no manager starts again."""
    for line in cgroup.splitlines():
        number, _, controllers_and_path = line.partition(":")
        controllers, _, path = controllers_and_path.partition(":")
        if number != "0" and controllers != "name=systemd":
            continue
        parts = path.split("/")
        units = [part for part in parts if part.endswith((".service", ".scope"))]
        if units and units[-1].endswith(".service") and not _USER_MANAGER.fullmatch(units[-1]):
            user = any(_USER_MANAGER.fullmatch(part) for part in parts)
            return Unit(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), units[-1]), user)
    return None


def job_in(cgroup: str) -> str | None:
    """The batch job that the text of /proc/PID/cgroup names."""
    match = _JOB.search(cgroup)
    return f"Slurm job {match[1]}" if match else None


def manager_among(processes: Iterable[Process]) -> Process | None:
    """A process that would start the engine again when it ends, among those above it."""
    for process in processes:
        words = {Path(word).name for word in process.arguments[:2]}
        if process.comm in _MANAGERS or words & _MANAGERS or process.comm.startswith(_PM2):
            return process
    return None


def refusal(pid: int, arguments: Sequence[str], environ: Mapping[str, str]) -> Refusal | None:
    """Why the engine `pid` may not be taken over, None where it may.

    `arguments` are those after `vllm serve`, `environ` its variables, as far as they can be read.
    """
    cgroup = procfs.read_text(f"/proc/{pid}/cgroup") or ""
    own_cgroup = procfs.read_text("/proc/self/cgroup") or ""
    container = container_in(cgroup)
    if container is not None and container != container_in(own_cgroup):
        return _in_container(pid, container, arguments)
    if (unit := unit_in(cgroup)) is not None and unit != unit_in(own_cgroup):
        return _in_service(pid, unit, arguments, environ)
    if (job := job_in(cgroup)) is not None and job != job_in(own_cgroup):
        statement = f"PID {pid} runs in {job}"
        reason = "outside of the job it would have neither its GPUs nor its limits"
        return Refusal(
            statement, reason, _advice_elsewhere("in the job's script", arguments, environ)
        )
    for kind in ("mnt", "pid"):
        if not same_namespace(pid, kind):
            return _in_container(pid, "a container or sandbox", arguments)
    return _another_users(pid) or _managed(pid, arguments, environ)


def same_namespace(pid: int, kind: str) -> bool:
    """Whether a process shares our namespace of this kind. True when unknown."""
    try:
        theirs, ours = (os.readlink(f"/proc/{process}/ns/{kind}") for process in (pid, "self"))  # noqa: PTH115
    except OSError:
        return True
    return theirs == ours


def _in_container(pid: int, name: str, arguments: Sequence[str]) -> Refusal:
    return Refusal(
        f"PID {pid} runs in {name}",
        "what started that container would start it again, or end with it",
        (
            f"live knobs: give the container  -v {INSIDE}:{INSIDE}:ro -e PYTHONPATH={INSIDE}",
            f"swaps: let its command be  {serve_command(arguments)}  with trimtab in its image",
        ),
    )


def _in_service(
    pid: int, unit: Unit, arguments: Sequence[str], environ: Mapping[str, str]
) -> Refusal:
    lines = [_in_unit(f"Environment={shlex.quote(word)}") for word in assignments(environ)]
    program = shutil.which("trimtab") or "/usr/local/bin/trimtab"
    return Refusal(
        f"PID {pid} belongs to {printable(unit.name)}",
        "systemd would start it again, or end what we start",
        (
            f"live knobs from its next start: {unit.systemctl} edit {shlex.quote(unit.name)}",
            "    [Service]",
            *(f"    {line}" for line in lines),
            "swaps: let the unit start trimtab (docs/trimtab@.service is a whole example)",
            "    [Service]",
            "    Type=notify",
            "    KillMode=mixed",
            "    ExecStart=",
            f"    ExecStart={_in_unit(serve_command(arguments, program))}",
        ),
    )


def _another_users(pid: int) -> Refusal | None:
    name = other_user(pid)
    if not name:
        return None
    return Refusal(
        f"PID {pid} runs as {name}",
        "it would run as somebody else afterwards",
        (f"run it as that user: sudo -u {shlex.quote(name)} trimtab adopt …",),
    )


def _managed(pid: int, arguments: Sequence[str], environ: Mapping[str, str]) -> Refusal | None:
    manager = manager_among(list(ancestors(pid))[1:])
    if manager is None:
        return None
    name = printable(manager.comm)
    return Refusal(
        f"{name} (PID {manager.pid}) started PID {pid}",
        "it would start it again",
        _advice_elsewhere(f"in the configuration of {name}", arguments, environ),
    )


def _advice_elsewhere(
    place: str, arguments: Sequence[str], environ: Mapping[str, str]
) -> tuple[str, ...]:
    words = " ".join(shlex.quote(word) for word in assignments(environ))
    return (
        f"live knobs: {place} add the environment  {words}",
        f"swaps: {place} let the command be  {serve_command(arguments)}",
    )


def serve_command(arguments: Sequence[str], program: str = "trimtab") -> str:
    """How trimtab would serve the same, as typed in a shell; without secrets."""
    model = read_arguments(arguments).model
    options = arguments[1:] if arguments[:1] == (model,) else arguments
    redacted = redact_arguments(joined(without(cut(options), ["model"])))
    words = (*((model,) if model else ()), *redacted)
    return shlex.join([program, "serve", *(printable(word, 1000) for word in words)])


def _in_unit(line: str) -> str:
    """A line as a unit file takes it: there `%` begins a specifier."""
    return line.replace("%", "%%")
