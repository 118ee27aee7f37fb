"""The sockets that trimtab's plugin opens inside an engine, and what control they give.

A socket is trusted only if nobody but the engine's own user can have put it there: its directory
and the socket belong to that user, nobody else has rights to either, and the kernel says that the
very process listens on it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.control.channel import PROTOCOL
from engines.control.client import PluginClient
from engines.control.inside_path import PLUGIN
from engines.host import listeners, procfs
from engines.host.processes import EngineTree
from engines.host.procfs import Process
from engines.host.users import user_name
from engines.inside.trimtab_inside.private_socket.sockets import directories
from store.errors import TrimtabError
from store.records import Control

PACKAGE = "trimtab_inside"
HOW = "`trimtab adopt` starts it again with its knobs, `trimtab serve` starts one with them"


@dataclass(frozen=True, slots=True)
class PluginControl:
    """What can be done with an engine, why, and through which sockets (one per EngineCore)."""

    control: Control
    reason: str
    sockets: tuple[Path, ...] = ()


def plugin_control(tree: EngineTree) -> PluginControl:
    """What the plugin's sockets of an engine allow. Says nothing on them."""
    owner = procfs.user_id(tree.root.pid)
    if owner is None:
        return PluginControl("observe", "its process cannot be read")
    if os.geteuid() not in (0, owner):
        owner_name = user_name(owner)
        return PluginControl(
            "observe", f"runs as {owner_name}: run trimtab as {owner_name} to change its knobs"
        )
    # Without process titles any process of the tree may hold the scheduler.
    cores = tree.cores
    socket_by_pid = {
        process.pid: find_socket(process, owner) for process in cores or (tree.root, *tree.members)
    }
    sockets = tuple(path for path in socket_by_pid.values() if path is not None)
    if not sockets:
        return PluginControl("observe", _why_no_socket(tree))
    if cores and len(sockets) < len(cores):
        missing_pids = ", ".join(str(pid) for pid, path in socket_by_pid.items() if path is None)
        reason = f"{len(cores) - len(sockets)} of {len(cores)} EngineCores have no plugin socket"
        return PluginControl("observe", f"{reason} (PID {missing_pids}): see the engine's log")
    return PluginControl("live", "trimtab's plugin is loaded", sockets)


def confirm(control: PluginControl, deadline_s: float) -> PluginControl:
    """Ask every socket who is there; control is live only if all speak our protocol."""
    for path in control.sockets:
        try:
            protocol = PluginClient(path, deadline_s=deadline_s).hello().protocol
        except TrimtabError as error:
            return PluginControl("observe", f"trimtab's plugin does not answer: {error.what}")
        if protocol != PROTOCOL:
            reason = f"its plugin speaks protocol {protocol}, this trimtab {PROTOCOL}"
            return PluginControl("observe", f"{reason}: restart it with this trimtab")
    return control


def find_socket(process: Process, owner: int) -> Path | None:
    """The plugin's socket of one process, or None where there is none that can be trusted."""
    name = f"{procfs.inner_pid(process.pid)}.sock"
    paths = (_trusted(process.pid, home / name, owner) for home in directories(owner))
    return next((path for path in paths if path is not None), None)


def _trusted(pid: int, outside_path: Path, owner: int) -> Path | None:
    inside_path = Path(f"/proc/{pid}/root{outside_path}")
    try:
        # A process with a /tmp of its own (a container, systemd's PrivateTmp) is met through /proc.
        path = outside_path if _same_file(inside_path, outside_path) else inside_path
        status = path.lstat()
        private = status.st_uid == owner and not status.st_mode & 0o077
        if not (stat.S_ISSOCK(status.st_mode) and private) or directory_fault(path.parent, owner):
            return None
    except OSError:
        return None
    return path if _listens(pid, path) else None


def directory_fault(path: Path, owner: int) -> str:
    """Why the plugin would refuse its directory, '' if it would not (or it is still to be made)."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    if not stat.S_ISDIR(status.st_mode):
        return f"{path} is not a directory"
    if status.st_uid != owner:
        return f"{path} belongs to {user_name(status.st_uid)}"
    if status.st_mode & 0o077:
        return f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):o})"
    return ""


def _same_file(inside_path: Path, outside_path: Path) -> bool:
    try:
        return os.path.samestat(inside_path.lstat(), outside_path.lstat())
    except PermissionError:
        return True  # /proc/PID/root is closed to us: the usual place is all there is
    except FileNotFoundError:
        return False


def _listens(pid: int, path: Path) -> bool:
    try:
        return listeners.unix_listener(str(path)) == pid
    except BlockingIOError:
        return True  # it cannot be asked now; owner and mode have been checked


def _why_no_socket(tree: EngineTree) -> str:
    environment = procfs.environment(tree.root.pid, ("PYTHONPATH=", "VLLM_PLUGINS=")) or {}
    allow_list = environment.get("VLLM_PLUGINS")
    path = environment.get("PYTHONPATH", "")
    if not _has_plugin(path.split(os.pathsep), tree.root.pid):
        return f"started without trimtab's plugin: {HOW}"
    if allow_list is not None and PLUGIN not in [name.strip() for name in allow_list.split(",")]:
        return f"VLLM_PLUGINS leaves trimtab's plugin out: add {PLUGIN} to it and restart"
    return "trimtab's plugin is loaded but opened no socket: see the engine's log for `trimtab`"


def _has_plugin(directories: Sequence[str], pid: int) -> bool:
    root = Path(f"/proc/{pid}/root")
    try:
        return any(
            (root / directory.lstrip("/") / PACKAGE / "__init__.py").exists()
            for directory in directories
            if directory.startswith("/")
        )
    except OSError:
        return False
