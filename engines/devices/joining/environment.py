"""The GPUs that an engine's own environment and command line leave it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from engines.command_line.flags import last_value, names_of
from engines.devices.joining.visible import (
    CONTAINER,
    ORDER,
    VARIABLE,
    Visible,
    in_container,
    visible,
)
from engines.devices.nvml import Gpu
from engines.host.processes import EngineTree
from engines.host.procfs import environment

_PER_REPLICA = ("tensor-parallel-size", "pipeline-parallel-size", "prefill-context-parallel-size")
_REPLICAS = ("data-parallel-size-local", "data-parallel-size")


def visible_to(tree: EngineTree, gpus: Sequence[Gpu]) -> Visible | None:
    """The GPUs that an engine computes on by its variables; None where they say nothing.

    vLLM takes the first that it may see, as many as it has ranks; each data-parallel EngineCore is
    given a list of its own.
    """
    if "device-ids" in names_of(tree.launch or ()):
        return Visible(problem="its --device-ids choose among its GPUs, which is not followed here")
    cores = [variables for core in tree.cores if (variables := _variables(core.pid)) is not None]
    ranks = _number(tree, _PER_REPLICA)
    if len(cores) > 1 and len({core.get(VARIABLE) for core in cores}) == len(cores):
        parts = [_visible(core, tree.root.pid, gpus, ranks) for core in cores]
        known = [part for part in parts if part is not None]
        problem = next((part.problem for part in known if part.problem), "")
        return Visible(tuple(gpu for part in known for gpu in part.gpus), problem)
    variables = _variables(tree.root.pid) or (cores[0] if cores else None)
    replicas = next((n for flag in _REPLICAS if (n := _number(tree, (flag,))) > 1), 1)
    return None if variables is None else _visible(variables, tree.root.pid, gpus, ranks * replicas)


def _visible(
    variables: Mapping[str, str], pid: int, gpus: Sequence[Gpu], ranks: int
) -> Visible | None:
    listed, given = variables.get(VARIABLE), variables.get(CONTAINER)
    is_contained = given is not None and not _shares_our_files(pid)
    if listed is None and (not is_contained or given in ("all", "")):
        return None
    there = in_container(gpus, given) if is_contained else gpus
    if listed is None:
        return Visible(tuple(there[:ranks]))
    told = visible(there, listed, variables.get(ORDER, ""))
    return Visible(told.gpus[:ranks], told.problem)


def _variables(pid: int) -> dict[str, str] | None:
    return environment(pid, (f"{VARIABLE}=", f"{ORDER}=", f"{CONTAINER}="))


def _shares_our_files(pid: int) -> bool:
    """Whether a process lives in our own mount namespace, so in no container that we are not in."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")  # noqa: PTH115
    except OSError:
        return False


def _number(tree: EngineTree, flags: Sequence[str]) -> int:
    """The product of an engine's flags that are whole numbers, each 1 where it is not given."""
    product = 1
    for flag in flags:
        value = last_value(tree.launch or (), flag) or ""
        product *= int(value) if value.isascii() and value.isdigit() and value != "0" else 1
    return product
