"""Whether vLLM takes a command, and whether it would change anything: before anything starts."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from engines.command_line.arguments import read_arguments
from engines.host.procfs import read_process
from engines.launch.launch import Launch
from engines.serving.causes import cause_in
from engines.serving.started import Started
from engines.supervisor.swap.check_arguments import ANSWER
from engines.variants.checkpoint.files import model_place, newest_ms
from store.errors import NotAchieved
from store.reports.fields import a_text, an_object

CHECK_S = 180.0
_TURN_S = 0.3
_NOTHING = "it would change nothing"


def check_arguments(
    target: Launch, current: Launch, go_on: Callable[[], None]
) -> Mapping[str, object]:
    """What the engine's own Python says of the arguments (`check_arguments.ANSWER`), without
    starting anything; empty for a vLLM whose Python is not known, which is not asked.

    Raises `NotAchieved` with vLLM's reason, and what `go_on` raises, which is called again and
    again meanwhile.
    """
    python = Path(target.command[0])
    if not python.name.startswith("python") or shutil.which(str(python)) is None:
        return {}
    script = Path(__file__).with_name("check_arguments.py")
    asked = {"arguments": target.arguments, "running": current.arguments}
    try:
        process = subprocess.Popen(
            [str(python), str(script)],
            cwd=target.directory,
            env=dict(target.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            try:
                completed = _finished(process, json.dumps(asked).encode(), go_on)
            finally:
                process.kill()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAchieved("vLLM could not be asked about the arguments", str(error)) from None
    if completed.returncode != 0:
        output = (completed.stdout + completed.stderr).decode("utf-8", "replace")
        raise NotAchieved("vLLM rejects the arguments", cause_in(output))
    return _answer_in(completed.stdout.decode("utf-8", "replace"))


def _finished(
    process: subprocess.Popen[bytes], question: bytes, go_on: Callable[[], None]
) -> subprocess.CompletedProcess[bytes]:
    """What it says within `CHECK_S`; `go_on` raises where nobody wants to know any more."""
    until = time.monotonic() + CHECK_S
    asked: bytes | None = question
    while True:
        try:
            output, errors = process.communicate(asked, timeout=_TURN_S)
        except subprocess.TimeoutExpired:
            asked = None  # what is not written yet goes on being written
            go_on()
            if time.monotonic() >= until:
                raise
        else:
            return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def _answer_in(output: str) -> Mapping[str, object]:
    """The line of the script among vLLM's own; empty where there is none."""
    lines = (line for line in reversed(output.splitlines()) if line.startswith(ANSWER))
    try:
        return an_object(json.loads(next(lines, "").removeprefix(ANSWER))) or {}
    except ValueError:
        return {}


def differs(
    answer: Mapping[str, object], target: Launch, current: Launch, engine: Started
) -> bool | None:
    """Whether `target` is another engine than the running one, as `check_arguments` answered; None
    where that is not known.

    Variables may change anything, as may files that were replaced while the engine ran: neither
    shows in a configuration. Raises `NotAchieved` where it can change nothing.
    """
    if quantisation := a_text(answer.get("idle_quantisation")):
        reason = f"--quantization {quantisation} quantises experts only, and the model has none"
        raise NotAchieved(_NOTHING, reason)
    same = answer.get("same")
    if same is False or target.environ != current.environ or _replaced_files(target, engine):
        return True
    if same is True:
        reason = "vLLM makes the same configuration of it as of what runs"
        raise NotAchieved(_NOTHING, reason)
    return None


def _replaced_files(target: Launch, engine: Started) -> bool:
    """Whether a file of the model is newer than the engine that runs."""
    model = read_arguments(target.arguments).model
    directory = None if target.directory is None else Path(target.directory)
    place = None if model is None else model_place(model, directory)
    newest = None if place is None else newest_ms(place)
    process = read_process(engine.pid)
    return newest is not None and process is not None and newest > process.started_ms
