"""From what a person calls a model to what vLLM takes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from engines.provision.environment import MODEL_NAMES, SMOLLM2, made_models
from store.errors import BadInput, NotAchieved
from store.foreign_text import printable
from store.given_paths import given_path


def resolve_model(name_or_path: str) -> str:
    """The path of a demo model or of a directory; a hub name whose files are already on this host.

    Raises `BadInput` for what is none of these: nothing is downloaded. With HF_HUB_OFFLINE=0 in
    the environment a hub name passes, and vLLM may fetch it.
    """
    if name_or_path in MODEL_NAMES and not Path(name_or_path).is_dir():
        models = made_models()
        if name_or_path not in models:
            option = " --model smollm2" if name_or_path in SMOLLM2 else ""
            raise NotAchieved(
                f"the demo model {name_or_path} is not made yet",
                "",
                f"run `trimtab provision{option}`",
            )
        return str(models[name_or_path])
    with contextlib.suppress(OSError, RuntimeError):  # no file's name, or the home of nobody here
        path = given_path(name_or_path)
        if path.exists():
            return str(path.resolve())
        if _looks_like_hub_name(name_or_path) and (
            os.environ.get("HF_HUB_OFFLINE") == "0" or _is_cached(name_or_path)
        ):
            return name_or_path
    raise BadInput(
        f"no model {printable(name_or_path)} on this host",
        "trimtab downloads no models",
        f"give a model directory or one of {', '.join(MODEL_NAMES)}",
    )


def _looks_like_hub_name(name: str) -> bool:
    owner, slash, model = name.partition("/")
    return bool(owner and slash and model) and "/" not in model and owner not in (".", "..", "~")


def hub_cache() -> Path:
    """The directory of the models fetched from the hub, as huggingface_hub finds it."""
    home = given_path(os.environ.get("HF_HOME") or "~/.cache/huggingface")
    return given_path(os.environ.get("HF_HUB_CACHE") or home / "hub")


def _is_cached(name: str) -> bool:
    return (hub_cache() / f"models--{name.replace('/', '--')}" / "snapshots").is_dir()
