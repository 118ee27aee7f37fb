"""Directories beside a model that hold the same model in another quantisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engines.command_line.flags import last_value
from engines.variants.checkpoint.files import beside
from engines.variants.checkpoint.weights import Weights, read_weights
from engines.variants.variant import Variant

_HALF_ONLY = frozenset({"float32", "float"})


def siblings(model_dir: Path, running: Weights, arguments: Sequence[str]) -> Iterator[Variant]:
    """Variants whose config.json has the architecture, depth, width and vocabulary of the running
    model, and another quantisation. Whether they were made of the same weights, no file says."""
    if running.architecture is None:
        return
    for model, path in beside(model_dir):
        weights = read_weights(path)
        if weights.problem or weights.quantisation == running.quantisation:
            continue
        if (weights.architecture, weights.shape) == (running.architecture, running.shape):
            # Kernels for quantised weights compute in 16 bits only.
            needs_half = weights.quantisation and last_value(arguments, "dtype") in _HALF_ONLY
            yield Variant(
                name=model if "/" in model and not model.startswith("/") else path.name,
                model=model,
                arguments=("--dtype", "half") if needs_half else (),
                origin="sibling",
                note=f"{weights.quantisation or 'not quantised'}, beside the running model",
            )
