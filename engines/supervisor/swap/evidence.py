"""What of an engine can be seen to differ from another: files, types, kernels, arguments.

A setting that vLLM accepts may do nothing: `--quantization int8_per_channel_weight_only` on a dense
model quantises 0 layers, and the answers stay the same to the bit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from engines.command_line.arguments import read_arguments
from engines.command_line.flags import last_value
from engines.variants.checkpoint.files import model_place
from engines.variants.checkpoint.weights import Weights, read_weights
from store.reports.engine_evidence import EngineEvidence

_KERNEL = re.compile(r"\b\w*(?:Kernel|LinearMethod)\b")
_QUANTISED = re.compile(r"Quantizing (\d+) layers")
_LIMITS = ("kv-cache-dtype", "max-num-seqs", "max-num-batched-tokens", "max-model-len", "dtype")
_MOST_LOG = 1 << 20


def evidence_of(arguments: Sequence[str], log: Path, directory: Path | None) -> EngineEvidence:
    """What an engine started with these arguments (after `vllm serve`) in `directory` shows; never
    raises."""
    model = read_arguments(arguments).model
    weights = None if model is None else read_weights(model_place(model, directory))
    try:
        with log.open("rb") as file:
            text = file.read(_MOST_LOG).decode("utf-8", "replace")
    except OSError:
        text = ""
    counts = [int(count) for count in _QUANTISED.findall(text)]
    limits = ((name, last_value(arguments, name)) for name in _LIMITS)
    return EngineEvidence(
        model=model,
        weight_bytes=None if weights is None else weights.bytes_on_disk,
        quantisation=None if weights is None else weights.quantisation,
        dtype=_dtype(arguments, weights),
        asked_quantisation=last_value(arguments, "quantization"),
        layers_quantised=max(counts) if counts else None,
        kernels=tuple(sorted(set(_KERNEL.findall(text)))),
        limits=tuple((name, value) for name, value in limits if value is not None),
    )


def _dtype(arguments: Sequence[str], weights: Weights | None) -> str | None:
    """The type that is computed in: the one asked for, else that of the files."""
    dtype = last_value(arguments, "dtype")
    if dtype not in (None, "auto"):
        return dtype
    return None if weights is None else weights.dtype


def unchanged(old: EngineEvidence, new: EngineEvidence, *, differs: bool | None) -> str:
    """Why nothing that was asked for has come about, '' where something has.

    `differs` is what vLLM said of the two configurations; what little is seen here decides only
    where it said nothing.
    """
    if new.asked_quantisation is not None and new.layers_quantised == 0:
        return f"--quantization {new.asked_quantisation} quantised 0 layers: it changed nothing"
    same_files = (old.model, old.weight_bytes) == (new.model, new.weight_bytes)
    same_work = (old.kernels, old.layers_quantised) == (new.kernels, new.layers_quantised)
    if not differs and same_files and same_work and old.limits == new.limits:
        return "weights, kernels and limits are those of the engine before: it changed nothing"
    return ""
