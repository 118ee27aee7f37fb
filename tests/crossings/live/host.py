"""A machine as an operator has it: an engine, its ledger, and somebody else's process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engines.host import procfs
from engines.host.processes import engine_trees
from engines.quality.texts import BUILT_IN
from engines.serving import registry
from engines.serving.names import candidate_names
from engines.supervisor_client import client
from tests.crossings.faults import small_disk
from tests.crossings.world import SHIMS, bystander, marked, reading_rows
from tests.engine.conftest import ARGUMENTS, MODEL
from tests.supervisors import answering, is_at_rest, state_of
from tests.waiting import wait_until

VARIANTS = {"sixteen": "16", "twenty-four": "24"}
"""The same model with other limits: a swap between them passes its quality check."""
FEW_TEXTS = 8
"""Scoring all texts takes minutes on a host that has other work, and a fault must wait for it."""
OVER_S = 420.0
_MARK = "TRIMTAB_CROSSINGS"
"""A variable that everything inherits that is started from here."""


@dataclass
class Host:
    """One cell's surroundings. `asked` are the commands that were begun, oldest first; `bystander`
    looks like an engine, and any signal would end it. `old_pid` is the engine that serves before
    the act."""

    name: str
    home: Path
    environ: Mapping[str, str]
    bystander: subprocess.Popen[bytes]
    url: str = ""
    old_pid: int | None = None
    words: tuple[str, ...] = ()
    asked: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def disk(self) -> Path:
        """Where the ledger is, a small file system of its own where we may mount one."""
        return self.home / "disk"

    @property
    def db(self) -> Path:
        """The ledger."""
        return self.disk / "l.db"

    @property
    def clock(self) -> Path:
        """By how many seconds the clock is stepped."""
        return self.home / "clock"

    def begin(self, command: str, *words: str) -> subprocess.Popen[str]:
        """Begin a command of trimtab's, in a session of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "app", command, *words, "--db", str(self.db), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            env=os.environ | self.environ,
        )
        self.asked.append(process)
        return process

    def run(self, command: str, *words: str) -> tuple[int, str]:
        """Run a command to its end: its exit code, and what it said."""
        process = self.begin(command, *words)
        told, said = process.communicate(timeout=OVER_S)
        return process.returncode, f"$ trimtab {command} {' '.join(words)}\n{told}{said}"

    def do(self, command: str, *words: str) -> str:
        """Run a command that must be done."""
        code, said = self.run(command, *words)
        assert code == 0, said
        return said

    def serve(self) -> None:
        """See to it that the engine serves under a supervisor, whatever the cell before left."""
        if state_of(self.name) is not None:
            wait_until(self.is_settled, OVER_S)
        else:
            self.do("serve", MODEL, "--name", self.name, "--detach", *ARGUMENTS)
        self.url = registry.find_serving(self.name).url
        self.old_pid = answering(self.name).pid

    def act(self, *words: str) -> subprocess.Popen[str]:
        """Begin the act that is crossed; a second operator would do the same."""
        self.words = words
        return self.begin(*words)

    def other_variant(self) -> str:
        """One that does not serve now."""
        return next(name for name in VARIANTS if name != answering(self.name).variant)

    def pid_of(self, role: str) -> int | None:
        """The PID of the engine that served, the new engine, the supervisor or the keeper."""
        if role == "engine":
            return self.old_pid
        if role == "new engine":
            names = (self.name, *candidate_names(self.name))
            found = [registry.find_serving(name) for name in names]
            pids = {each.pid for each in found if each is not None}
            return next(iter(pids - {self.old_pid}), None)
        status = answering(self.name)
        supervisor = procfs.read_process(status.supervisor)
        assert supervisor is not None
        return supervisor.pid if role == "supervisor" else supervisor.ppid

    def is_settled(self) -> bool:
        """Whether the engine serves and nothing goes on."""
        status = client.status(self.name)
        return status is not None and is_at_rest(status)

    def record(self) -> subprocess.Popen[str]:
        """Begin to record; returns once a reading is stored."""
        recorder = self.begin("record", self.url)
        wait_until(lambda: reading_rows(self.db) > 1)
        return recorder


def engines_now() -> set[int]:
    """The PIDs of the engines that were started for us; other tests may start theirs at the same
    time."""
    return {tree.root.pid for tree in engine_trees()} & set(marked(_MARK, str(os.getpid())))


@contextlib.contextmanager
def a_host(home: Path, name: str) -> Iterator[Host]:
    """The surroundings, without an engine yet."""
    lines = [
        f'[variants.{variant}]\narguments = ["--max-num-seqs", {json.dumps(limit)}]\n'
        for variant, limit in VARIANTS.items()
    ]
    texts = home / "texts.jsonl"
    texts.write_text("".join(BUILT_IN.read_text().splitlines(keepends=True)[:FEW_TEXTS]))
    lines.append(f"[quality]\ntexts = {json.dumps(str(texts))}\n")
    (home / "settings.toml").write_text("".join(lines))
    (home / "clock").write_text("0")
    environ = {
        "TRIMTAB_CONFIG_DIR": str(home),
        "PYTHONPATH": str(SHIMS),
        "CROSSING_CLOCK": str(home / "clock"),
    }
    (home / "disk").mkdir()
    with small_disk(home / "disk"), bystander(home / "bystander") as other:
        os.environ[_MARK] = str(os.getpid())
        host = Host(name, home, environ, other)
        try:
            yield host
        finally:
            for process in host.asked:
                process.kill()
                process.communicate()
