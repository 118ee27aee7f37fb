"""Which processes are vLLM, and which belong together.

An engine is the topmost process that was started as vLLM's API server. Where none was, it is the
one whose children carry vLLM's process titles (`VLLM::EngineCore`, `VLLM::Worker`, …): a program
that has vLLM inside. Such a one never hides a server below it, as a launcher would that was handed
the children of a server which died. Before titles came (0.8.5) the children say nothing about
themselves. With `--data-parallel-multi-port-external-lb` each rank is a server of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from engines.host.procfs import Process, ancestors, below, children_of, processes, user_id
from store.foreign_text import printable

_TITLE = re.compile(r"^\S*::(EngineCore|Worker|APIServer|DPCoordinator|ExternalLBRank)")
_CUT_TITLE = re.compile(r"^VLLM::[A-Z]")
_MODULES = frozenset({"vllm.entrypoints.openai.api_server", "vllm.entrypoints.cli.main", "vllm"})
_API_SERVER_SCRIPT = "vllm/entrypoints/openai/api_server.py"
_PYTHON = re.compile(r"^(python|pypy)[0-9.]*[a-z]{0,2}(-[\w.]+)?$")
_LOADER = re.compile(r"^ld(-linux|-musl)?[\w.-]*\.so[\w.]*$")
_REAPERS = frozenset(
    {"systemd", "init", "tini", "dumb-init", "docker-init", "catatonit", "s6-svscan", "conmon"}
    | {"containerd-shim"}
)
_SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh", "fish", "tmux: server", "screen", "sshd"})
"""They start no EngineCore, which is a child of Python: one below them was handed to them, as they
may have asked for (PR_SET_CHILD_SUBREAPER)."""
RANK = "ExternalLBRank"
"""The role of a rank that serves an address of its own."""
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


_LONG_ROLES = ("EngineCore", "DPCoordinator", RANK)


def role(process: Process) -> str | None:
    """`EngineCore`, `Worker`, `APIServer`, `DPCoordinator` or `RANK` by the process title, or None.

    The title is in the command line too, where the kernel does not cut it.
    """
    for text in (process.arguments[0] if len(process.arguments) == 1 else "", process.comm):
        if title := _TITLE.match(text):
            return title[1]
    # VLLM::EngineCore has 16 characters, one more than comm holds.
    if _CUT_TITLE.match(process.comm):
        cut_role = process.comm.partition("::")[2]
        return next((name for name in _LONG_ROLES if name.startswith(cut_role)), "")
    return None


def is_of_vllm(process: Process) -> bool:
    """Whether a process carries one of vLLM's titles or was started as its API server."""
    return role(process) is not None or serve_arguments(process.arguments) is not None


def title(process: Process) -> str:
    """What a process calls itself: `Worker_TP0` of vLLM's titles, else the kernel's short name."""
    alone = process.arguments[0] if len(process.arguments) == 1 else ""
    text = alone if _TITLE.match(alone) else process.comm
    return printable(text.rpartition("::")[2] or text)


def serve_arguments(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """The arguments of vLLM's API server in a command line, or None if it starts none.

    Takes `vllm serve …`, `python …/bin/vllm serve …`, `python -m vllm.entrypoints.….api_server …`
    and the script of that module; not a shell or a wrapper that mentions them.
    """
    if not arguments:
        return None
    program = arguments[0].rpartition("/")[2]
    if _LOADER.match(program):
        return serve_arguments(arguments[1:])
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


def engine_trees(*, no_strangers: bool = False) -> list[EngineTree]:
    """Every engine on this machine that can be seen, oldest first; with `no_strangers` only those
    of our own user and of root."""
    table = processes(no_strangers=no_strangers)
    children = children_of(table)
    trees = [EngineTree(table[pid], tuple(below(pid, children))) for pid in _roots(table, children)]
    return sorted(trees, key=lambda tree: (tree.root.started_ms, tree.root.pid))


def _roots(
    table: Mapping[int, Process], children: Mapping[int, Sequence[Process]]
) -> Iterator[int]:
    titled = [process for process in table.values() if role(process) is not None]
    ranks = {process.pid for process in titled if role(process) == RANK}
    ranked = {table[pid].ppid for pid in ranks if table[pid].ppid in table}
    serving = {pid for pid, process in table.items() if serve_arguments(process.arguments)}
    launching = {
        process.ppid for process in titled if _launched_by(process, table.get(process.ppid))
    }
    for pid in ranks | serving | launching:
        above = [process.pid for process in ancestors(pid, table)][1:]
        if pid in ranks:
            yield pid
        elif pid in serving:
            if pid not in ranked and not serving.intersection(above):
                yield pid
        elif (
            not serving.union(launching).intersection(above)
            and pid not in ranked
            and not any(process.pid in serving for process in below(pid, children))
        ):
            yield pid


def _launched_by(process: Process, parent: Process | None) -> bool:
    """Whether the parent of a titled process is a program that has vLLM inside."""
    if parent is None or role(parent) is not None or _adopts_orphans(parent):
        return False
    return user_id(process.pid) == user_id(parent.pid)


def _adopts_orphans(process: Process) -> bool:
    """Whether a process is nobody's launcher but the one that Linux hands orphans to."""
    if process.comm in _REAPERS or process.comm in _SHELLS:
        return True
    program = PurePosixPath(process.arguments[0]).name if process.arguments else ""
    return process.pid == 1 and not _PYTHON.match(program) and program != "vllm"


def engine_of(pid: int) -> int | None:
    """The root PID of the engine that a process belongs to, or None if it is in none.

    Climbs from one process without listing them all.
    """
    server = launcher = None
    child: Process | None = None
    for process in ancestors(pid):
        if role(process) == RANK:
            return process.pid
        if serve_arguments(process.arguments) is not None:
            server = process.pid
        elif child is not None and role(child) is not None and _launched_by(child, process):
            launcher = process.pid
        child = process
    return launcher if server is None else server


def orphans(table: Mapping[int, Process] | None = None) -> list[Process]:
    """EngineCores and Workers whose API server died: they hold memory and serve nobody.

    Those are the topmost processes with a vLLM title that are in no engine; what is below them is
    not listed again.
    """
    if table is None:
        table = processes()
    children = children_of(table)
    roots = set(_roots(table, children))
    in_engines = roots | {each.pid for root in roots for each in below(root, children)}
    return [
        process
        for process in table.values()
        if role(process) is not None
        and process.pid not in in_engines
        and (parent := table.get(process.ppid)) is not None
        and role(parent) is None
    ]
