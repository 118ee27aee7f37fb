"""What is wrong with this host, as far as trimtab needs it, and how to mend it.

    examine(db)    every check, in the order a person would make them

Nothing is changed: files are looked at, not made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from engines.control.plugin_sockets import directory_fault
from engines.devices import gpus
from engines.devices.nvml import GpuSample
from engines.devices.remarks import gpu_remarks
from engines.discovery.find import SILENT, find_engines
from engines.doctor import host_checks
from engines.doctor.check import Check
from engines.held_gpus import NOTHING_STATED, StatedGpus
from engines.host.orphans import find_orphans
from engines.inside.trimtab_inside.private_socket.sockets import directories
from engines.provision.environment import find_environment, find_environments
from engines.serving.names import base_name
from engines.supervisor_client.orphaned import list_orphaned
from store.errors import TrimtabError
from store.foreign_text import printable
from store.metrics.formats import format_bytes

__all__ = ["Check", "examine"]

GPU_DEADLINE_S = 5.0
REMEDY = "trimtab stop --orphans"
BROKEN_GPU = "look at dmesg and nvidia-smi; a reset or reboot may help"


def examine(
    db: Path, *, deadline_s: float = 3.0, stated: StatedGpus = NOTHING_STATED
) -> list[Check]:
    """Every check; `db` is the ledger that would be used, `stated` the GPUs that a person says
    engines hold. Never raises.

    Takes some seconds where a driver or an engine does not answer. Not for an event loop's thread.
    """
    checks: list[Callable[[], Iterator[Check]]] = [
        host_checks.python,
        host_checks.terminal,
        lambda: host_checks.data_directory(db.parent),
        lambda: host_checks.ledger(db),
        _environment,
        _gpus,
        _plugin_directory,
        host_checks.process_visibility,
        host_checks.clock,
        _orphans,
        _supervisors,
        lambda: _engines(deadline_s, stated),
    ]
    return [check for make in checks for check in _guarded(make)]


def _guarded(checks: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return list(checks())
    except TrimtabError as error:
        return [Check("doctor", False, error.what, error.remedy)]
    except (OSError, ValueError) as error:
        return [Check("doctor", None, f"a check could not be made: {printable(str(error))}")]


def _environment() -> Iterator[Check]:
    environment = find_environment()
    if environment is None:
        finding = "no engine environment yet: `trimtab demo` and `trimtab serve` need one"
        yield Check("engine environment", None, finding, "trimtab provision")
    else:
        finding = f"vLLM {environment.version} and models {', '.join(environment.models)}"
        yield Check("engine environment", True, finding)
    for other in find_environments():
        if environment is None or other.python != environment.python:
            number = other.version.partition("+")[0]
            finding = f"vLLM {other.version}: trimtab serve --version {number}"
            yield Check("engine environment", True, finding)


def _gpus() -> Iterator[Check]:
    cards = gpus.look(GPU_DEADLINE_S)
    dead = gpus.CARDS.dead()
    if gpus.CARDS.driver_silent_s() and not cards:
        finding = f"the NVIDIA driver does not answer within {GPU_DEADLINE_S:g} s"
        yield Check("GPUs", False, finding, BROKEN_GPU)
    elif not cards and not dead:
        on_driver = Path("/proc/driver/nvidia/version").exists()
        remedy = "mend the driver: nvidia-smi says more" if on_driver else ""
        yield Check("GPUs", False if on_driver else None, f"none: {gpus.why_none()}", remedy)
    for card in cards:
        is_well = card.state == "ok" and card.sample is not None
        trouble = card.reason or "it does not answer"
        remark = _missing_fields(card.sample) if is_well and card.sample else trouble
        finding = f"{card.gpu.name}{remark and f': {remark}'}"
        yield Check(f"GPU {card.gpu.index}", is_well, finding, "" if is_well else BROKEN_GPU)
    known = {card.gpu.index.partition(":")[0] for card in cards}
    for index, why in dead.items():
        if index not in known:
            yield Check(f"GPU {index}", False, f"it does not answer: {why}", BROKEN_GPU)


def _missing_fields(sample: GpuSample) -> str:
    fields = ("utilisation", "memory_used", "energy_mj", "power_mw")
    missing = [name for name in fields if getattr(sample, name) is None]
    return f"does not tell {', '.join(missing)}" if missing else ""


def _plugin_directory() -> Iterator[Check]:
    user = os.geteuid()
    path, other_path = directories(user)
    fault = directory_fault(path, user)
    if fault and other_path.parent.is_dir() and not directory_fault(other_path, user):
        yield Check("plugin directory", True, f"{other_path}, as {fault}")
    elif fault:
        yield Check("plugin directory", False, fault, f"remove it: rm -r {path}")
    elif path.exists():
        yield Check("plugin directory", True, f"{path} is yours alone")
    else:
        yield Check("plugin directory", True, f"{path} is made with the first engine")


def _orphans() -> Iterator[Check]:
    for orphan in find_orphans():
        held_memory = "memory" if orphan.memory_bytes is None else format_bytes(orphan.memory_bytes)
        finding = f"PID {orphan.pid} ({printable(orphan.title)}) outlived its API server"
        yield Check("orphan", False, f"{finding}: it holds {held_memory} and serves nobody", REMEDY)


def _supervisors() -> Iterator[Check]:
    for engine in list_orphaned():
        name = base_name(engine.name)
        finding = f"{name} has lost its supervisor: nobody starts it again if it ends"
        yield Check("supervisor", False, finding, f"trimtab adopt {name}")


def _engines(deadline_s: float, stated: StatedGpus) -> Iterator[Check]:
    engines = find_engines(deadline_s=deadline_s, stated=stated)
    if not engines:
        yield Check("engines", None, "none runs on this machine", "trimtab serve MODEL")
    for engine in engines:
        ok = True if engine.control != "observe" else None
        if engine.reason.startswith(SILENT):
            ok = False
        finding = f"{engine.url}: {engine.control}, {engine.reason or 'no limits'}"
        ours = engine.control == "observe" and engine.pid is not None and not engine.user
        remedy = f"trimtab adopt {engine.name}" if ours else ""
        yield Check(f"engine {engine.name}", ok, finding, remedy)
        for remark in gpu_remarks(engine):
            yield Check(f"GPUs of {engine.name}", None, remark)
