"""Start and end processes that look like vLLM (see engine_program.py)."""

import contextlib
import json
import os
import pwd
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.control.inside_path import INSIDE
from tests.addresses import held_port
from tests.waiting import PATIENCE_S

PROGRAM = Path(__file__).with_name("engine_program.py")
READY_S = PATIENCE_S


@dataclass(frozen=True)
class FakeEngine:
    pid: int
    port: int
    url: str
    home: Path


@contextlib.contextmanager
def fake_engine(
    home: Path,
    *arguments: str,
    style: str = "vllm",
    host: str = "127.0.0.1",
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    at_port: int | None = None,
    **spec: object,
) -> Iterator[FakeEngine]:
    """A running process tree with the command line `vllm serve ARGUMENTS --port … --host …`.

    `style` is how it was started: `vllm`, `script` (python …/bin/vllm), `module` (python -m) or
    `other` (a program of another name). `at_port` is one that the test holds itself. The
    remaining keywords go to the program.
    """
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(INSIDE),
        "FAKE_ENGINE": json.dumps(spec),
        **(env or {}),
    }
    with held_port(host) if at_port is None else contextlib.nullcontext(at_port) as port:
        process = subprocess.Popen(
            [*_program(home, style), *arguments, "--port", str(port), "--host", host],
            executable=sys.executable if user is None else "/usr/bin/python3",
            cwd=home,
            env=environment,
            stdout=subprocess.PIPE,
            start_new_session=True,
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
        )
        try:
            _wait_ready(process)
            shown = f"[{host}]" if ":" in host else host
            yield FakeEngine(process.pid, port, f"http://{shown}:{port}", home)
        finally:
            # The group is the session we began with it: these processes and no others.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_S)
            assert process.stdout is not None
            process.stdout.close()
            _remove_sockets()


def _program(home: Path, style: str) -> list[str]:
    """Put the program where this style of starting has it; the words before the arguments."""
    program = PROGRAM.read_text()
    if style == "vllm":
        # Python runs the file called `serve`; the command line reads `vllm serve …`.
        (home / "serve").write_text(program)
        return ["vllm", "serve"]
    if style == "script":
        (home / "bin").mkdir(exist_ok=True)
        (home / "bin" / "vllm").write_text(program)
        return ["python", str(home / "bin" / "vllm"), "serve"]
    if style == "module":
        package = home / "vllm" / "entrypoints" / "openai"
        package.mkdir(parents=True, exist_ok=True)
        (package / "api_server.py").write_text(program)
        return ["python3", "-u", "-m", "vllm.entrypoints.openai.api_server"]
    (home / "app.py").write_text(program)
    return ["python", "app.py"]


def _wait_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], READY_S)
    assert readable and process.stdout.readline() == b"ready\n"


def _remove_sockets() -> None:
    """A killed process leaves its plugin socket behind."""
    for path in Path(f"/tmp/trimtab-{os.geteuid()}").glob("*.sock"):
        if path.stem.isdecimal() and not Path("/proc", path.stem).exists():
            path.unlink(missing_ok=True)


def child_of(pid: int) -> int:
    """The first child of a process: an engine's EngineCore."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0])
