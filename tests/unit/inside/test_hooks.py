"""Loading into a process: what is patched, and that a broken part leaves the engine stock."""

import ast
import importlib
import logging
import os
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.control.inside_path import INSIDE, plugin_environment
from engines.inside.trimtab_inside.common import log
from engines.inside.trimtab_inside.live_knobs import hooks
from engines.inside.trimtab_inside.private_socket import server, sockets
from tests.unit.inside.inside_standins import Request, Scheduler08, Scheduler32


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sockets, "ROOT", tmp_path)
    places = (tmp_path / f"trimtab-{os.geteuid()}", tmp_path / "missing" / "trimtab")
    monkeypatch.setattr(sockets, "directories", lambda _: places)
    monkeypatch.setattr(log, "_said_subjects", set())
    yield tmp_path
    for running in server._current.values():
        running.stop()
    server._current.clear()


def module_with(scheduler_class: type) -> types.ModuleType:
    module = types.ModuleType(hooks.SCHEDULER_MODULE)
    module.Scheduler = type(
        "Scheduler", (scheduler_class,), {"__init__": _init_of(scheduler_class)}
    )  # type: ignore[attr-defined]
    return module


def _init_of(scheduler_class: type) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        scheduler_class.__init__(self, *args, **kwargs)  # type: ignore[misc]

    return __init__


def serve_one(scheduler: Any) -> list[str]:
    scheduler.add_request(Request("a"))
    return list(scheduler.schedule())


def test_a_constructed_scheduler_has_a_socket(own_place: Path) -> None:
    module = module_with(Scheduler32)
    hooks.patch(module)
    hooks.patch(module)
    scheduler = module.Scheduler(seqs=4)
    path = own_place / f"trimtab-{os.geteuid()}" / f"{os.getpid()}.sock"
    assert sockets.answers(path)
    assert serve_one(scheduler) == ["a"]


def test_the_newest_scheduler_of_a_process_is_controlled() -> None:
    module = module_with(Scheduler32)
    hooks.patch(module)
    first = module.Scheduler(seqs=4)
    server._current[""]._desk._board.set(_change(2), 0.0)
    assert first.max_num_active_reqs == 2
    second = module.Scheduler(seqs=4)
    assert first.max_num_active_reqs == 4
    server._current[""]._desk._board.set(_change(3), 0.0)
    assert (first.max_num_active_reqs, second.max_num_active_reqs) == (4, 3)


def _change(value: int) -> Any:
    from engines.inside.trimtab_inside.live_knobs.board import Request as Asked

    return Asked(f"change to {value}", "max_num_seqs", value, "me")


def test_an_unsafe_directory_leaves_a_stock_engine(
    own_place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (own_place / f"trimtab-{os.geteuid()}").symlink_to(own_place)
    module = module_with(Scheduler32)
    hooks.patch(module)
    with caplog.at_level(logging.WARNING, "vllm.trimtab"):
        scheduler = module.Scheduler(seqs=4)
        module.Scheduler(seqs=4)
    assert "schedule" not in vars(scheduler)
    assert serve_one(scheduler) == ["a"]
    assert len(caplog.records) == 1
    assert "not a directory" in caplog.text
    assert "serves on" in caplog.text


def test_a_broken_preparation_falls_through_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    module = module_with(Scheduler08)
    hooks.patch(module)
    scheduler = module.Scheduler(seqs=4)

    def broken(*_: Any) -> None:
        raise RuntimeError("our fault")

    for method in ("schedule", "add_request"):
        hooks.guard(scheduler, method, threading.RLock(), [broken])
    with caplog.at_level(logging.WARNING, "vllm.trimtab"):
        assert serve_one(scheduler) == ["a"]
        scheduler.schedule()
        scheduler.schedule()
    assert len(caplog.records) == 2


def test_each_hook_runs_also_after_one_that_broke() -> None:
    scheduler, seen = Scheduler08(seqs=4), []

    def broken(*_: Any) -> None:
        seen.append("broken")
        raise RuntimeError("our fault")

    hooks.guard(scheduler, "schedule", threading.RLock(), [broken, lambda *_: seen.append("next")])
    scheduler.schedule()
    assert seen == ["broken", "next"]


def test_an_exception_of_vllm_itself_passes_and_frees_the_lock() -> None:
    class Failing:
        def schedule(self) -> None:
            raise ValueError("vLLM's own")

    failing, lock = Failing(), threading.Lock()
    hooks.guard(failing, "schedule", lock, [])
    with pytest.raises(ValueError, match="own"):
        failing.schedule()
    assert not lock.locked()


def test_the_module_is_patched_when_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "late"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "scheduler.py").write_text(
        "class Scheduler:\n    def __init__(self):\n        pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(hooks, "SCHEDULER_MODULE", "late.scheduler")
    finders = len(sys.meta_path)
    hooks.watch()
    hooks.watch()
    assert len(sys.meta_path) == finders + 1
    module = importlib.import_module("late.scheduler")
    assert len(sys.meta_path) == finders
    assert getattr(module.Scheduler.__init__, "trimtab", False)
    module.Scheduler()


def test_entry_point_is_found_on_the_path_alone_and_install_never_raises() -> None:
    code = (
        "from importlib.metadata import entry_points\n"
        "import sys\n"
        "(found,) = entry_points(group='vllm.general_plugins', name='trimtab')\n"
        "found.load()(); found.load()()\n"
        "print(sum(type(f).__name__ == '_Watcher' for f in sys.meta_path))\n"
    )
    environ = {"PATH": os.environ["PATH"], **plugin_environment({})}
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "1"


def test_only_vllm_and_the_standard_library_are_imported() -> None:
    for path in (INSIDE / "trimtab_inside").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 9))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                assert top == "vllm" or top in sys.stdlib_module_names, f"{path.name}: {name}"


def test_nothing_else_is_put_on_the_path() -> None:
    found = {path.name for path in INSIDE.iterdir() if path.name != "__pycache__"}
    assert "__init__.py" not in found
    assert {name.partition("-")[0] for name in found} == {"trimtab_inside"}


@pytest.mark.parametrize(
    ("environ", "path", "plugins"),
    [
        ({}, str(INSIDE), None),
        ({"PYTHONPATH": ""}, str(INSIDE), None),
        ({"PYTHONPATH": "/a:/b"}, f"{INSIDE}:/a:/b", None),
        ({"PYTHONPATH": f"/a:{INSIDE}"}, f"{INSIDE}:/a", None),
        ({"VLLM_PLUGINS": "lora"}, str(INSIDE), "lora,trimtab"),
        ({"VLLM_PLUGINS": "trimtab,lora"}, str(INSIDE), "trimtab,lora"),
        ({"VLLM_PLUGINS": ""}, str(INSIDE), "trimtab"),
    ],
)
def test_plugin_environment(environ: dict[str, str], path: str, plugins: str | None) -> None:
    added = plugin_environment(environ)
    assert added["PYTHONPATH"] == path
    assert added.get("VLLM_PLUGINS") == plugins
