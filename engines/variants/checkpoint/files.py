"""Where the files of a model lie, and what lies beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engines.provision.models import hub_cache
from store.errors import BadInput
from store.given_paths import given_path

MOST_SIBLINGS = 200
"""A bound on how many directories are looked into, not a need."""


def model_place(model: str, directory: Path | None = None) -> Path:
    """The directory (or GGUF file) of a model as vLLM was given it; it need not exist.

    A relative path is relative to `directory`, where the engine runs; else it is the name of a
    model in the hub's cache, whose newest revision on this host counts.
    """
    try:
        path = (directory or Path()) / given_path(model)
        if path.exists():
            return path
    except (OSError, BadInput):  # too long for a file's name, or the home of nobody here
        path = Path(model)
    return _revision(hub_cache() / f"models--{model.replace('/', '--')}") or path


def beside(model_dir: Path) -> Iterator[tuple[str, Path]]:
    """Each directory beside a model's that has a config.json, with the name vLLM takes it by."""
    if model_dir.parent.name == "snapshots":
        for repository in _directories(model_dir.parent.parent.parent):
            kind, _, name = repository.name.partition("--")
            revision = _revision(repository) if kind == "models" else None
            if revision is not None and revision != model_dir:
                yield name.replace("--", "/", 1), revision
        return
    for path in _directories(model_dir.parent):
        if path.resolve() != model_dir.resolve() and (path / "config.json").is_file():
            yield str(path), path


def newest_ms(place: Path) -> int | None:
    """When the newest file of a model was last written, on the wall clock; None where there is
    none."""
    try:
        files = list(place.iterdir()) if place.is_dir() else [place]
        return max(file.stat().st_mtime_ns // 1_000_000 for file in files)
    except (OSError, ValueError):
        return None


def _revision(repository: Path) -> Path | None:
    """The snapshot that `main` names, else the newest, of a repository in the hub's cache."""
    try:
        main = (repository / "refs" / "main").read_text("ascii").strip()
        if main and (repository / "snapshots" / main).is_dir():
            return repository / "snapshots" / main
    except (OSError, UnicodeDecodeError):
        pass  # fetched by its revision, or not a repository
    try:
        return max((repository / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime)
    except (OSError, ValueError):
        return None


def _directories(parent: Path) -> list[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir())[:MOST_SIBLINGS]
    except OSError:
        return []
