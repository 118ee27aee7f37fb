"""Which processes are vLLM, and which belong together.

An engine is the topmost process that either was started as vLLM's API server or has children that
carry vLLM's process titles (`VLLM::EngineCore`, `VLLM::Worker`, `VLLM::APIServer_0`, …). Before
titles came (0.8.5) the children say nothing about themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from engines.host.procfs import Process, ancestors, below, children_of, processes

_TITLE = re.compile(r"^\S*::(EngineCore|Worker|APIServer|DPCoordinator)")
_CUT_TITLE = re.compile(r"^VLLM::[A-Z]")
_MODULES = frozenset({"vllm.entrypoints.openai.api_server", "vllm.entrypoints.cli.main", "vllm"})
_API_SERVER_SCRIPT = "vllm/entrypoints/openai/api_server.py"
_PYTHON = re.compile(r"^(python|pypy)[0-9.]*$")
_REAPERS = frozenset(
    {"systemd", "init", "tini", "dumb-init", "docker-init", "catatonit", "s6-svscan", "conmon"}
    | {"containerd-shim"}
)
_SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh", "fish", "tmux: server", "screen", "sshd"})
"""They start no EngineCore, which is a child of Python: one below them was handed to them, as they
may have asked for (PR_SET_CHILD_SUBREAPER)."""
_OPTIONS_WITH_VALUE = frozenset({"-X", "-W", "--check-hash-based-pycs"})


@dataclass(frozen=True, slots=True)
class EngineTree:
    """The processes of one engine. `root` keeps its command line; `members` are all below it."""

    root: Process
    members: tuple[Process, ...]

    @property
    def cores(self) -> tuple[Process, ...]:
        """The EngineCore processes, by PID; empty where this vLLM gives its processes no titles."""
        return tuple(process for process in self.members if role(process) == "EngineCore")

    @property
    def api_servers(self) -> tuple[Process, ...]:
        """Extra API servers of `--api-server-count`; the root is one as well, or their parent."""
        return tuple(process for process in self.members if role(process) == "APIServer")

    @property
    def launch(self) -> tuple[str, ...] | None:
        """What followed `vllm serve` (or the module) on the command line, or None."""
        return serve_arguments(self.root.arguments)


def role(process: Process) -> str | None:
    """`EngineCore`, `Worker`, `APIServer` or `DPCoordinator` by the process title, or None.

    The title is in the command line too, where the kernel does not cut it.
    """
    for text in (process.arguments[0] if len(process.arguments) == 1 else "", process.comm):
        if title := _TITLE.match(text):
            return title[1]
    # VLLM::EngineCore has 16 characters, one more than comm holds.
    if _CUT_TITLE.match(process.comm):
        cut_role = process.comm.partition("::")[2]
        return next(
            (name for name in ("EngineCore", "DPCoordinator") if name.startswith(cut_role)), ""
        )
    return None


def serve_arguments(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """The arguments of vLLM's API server in a command line, or None if it starts none.

    Takes `vllm serve …`, `python …/bin/vllm serve …`, `python -m vllm.entrypoints.….api_server …`
    and the script of that module; not a shell or a wrapper that mentions them.
    """
    if not arguments:
        return None
    program = arguments[0].rpartition("/")[2]
    if program == "vllm":
        return tuple(arguments[2:]) if arguments[1:2] == ("serve",) else None
    if not _PYTHON.match(program):
        return None
    index = 1
    while index < len(arguments) and arguments[index].startswith("-"):
        option = arguments[index]
        if option == "-m" or (option.startswith("-m") and not option.startswith("--")):
            module = option[2:] or (arguments[index + 1] if index + 1 < len(arguments) else "")
            return _after_program(module, arguments[index + (1 if option[2:] else 2) :])
        if option == "-c":
            return None
        index += 2 if option in _OPTIONS_WITH_VALUE else 1
    if index >= len(arguments):
        return None
    return _after_program(arguments[index], arguments[index + 1 :])


def _after_program(program: str, arguments: Sequence[str]) -> tuple[str, ...] | None:
    if program == "vllm.entrypoints.openai.api_server" or program.endswith(_API_SERVER_SCRIPT):
        return tuple(arguments)
    is_command = program in _MODULES or PurePosixPath(program).name == "vllm"
    return tuple(arguments[1:]) if is_command and tuple(arguments[:1]) == ("serve",) else None


def engine_trees() -> list[EngineTree]:
    """Every engine on this machine that can be seen, oldest first."""
    table = processes()
    parents = {process.ppid for process in table.values() if role(process) is not None}
    candidates = {
        process.pid
        for process in table.values()
        if serve_arguments(process.arguments) is not None
        or (process.pid in parents and role(process) is None and not _adopts_orphans(process))
    }
    roots = [pid for pid in candidates if _topmost(pid, candidates, table) == pid]
    children = children_of(table)
    trees = [EngineTree(table[pid], tuple(below(pid, children))) for pid in roots]
    return sorted(trees, key=lambda tree: (tree.root.started_ms, tree.root.pid))


def _adopts_orphans(process: Process) -> bool:
    """Whether a process is nobody's launcher but the one that Linux hands orphans to."""
    if process.comm in _REAPERS or process.comm in _SHELLS:
        return True
    program = PurePosixPath(process.arguments[0]).name if process.arguments else ""
    return process.pid == 1 and not _PYTHON.match(program) and program != "vllm"


def _topmost(pid: int, candidates: set[int], table: Mapping[int, Process]) -> int:
    return [process.pid for process in ancestors(pid, table) if process.pid in candidates][-1]


def engine_of(pid: int) -> int | None:
    """The root PID of the engine that a process belongs to, or None if it is in none.

    Climbs from one process without listing them all.
    """
    root = None
    below_has_title = False
    for process in ancestors(pid):
        has_title = role(process) is not None
        launches = below_has_title and not has_title and not _adopts_orphans(process)
        if launches or serve_arguments(process.arguments) is not None:
            root = process.pid
        below_has_title = has_title
    return root


def orphans(table: Mapping[int, Process] | None = None) -> list[Process]:
    """EngineCores and Workers whose API server died: they hold memory and serve nobody.

    Those are the topmost processes with a vLLM title; what is below them is not listed again.
    """
    if table is None:
        table = processes()
    return [
        process
        for process in table.values()
        if role(process) is not None
        and (parent := table.get(process.ppid)) is not None
        and serve_arguments(parent.arguments) is None
        and _adopts_orphans(parent)
    ]
