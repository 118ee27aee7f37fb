"""What this machine offers to swap an engine to: its siblings on disk, KV-cache types, limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engines.command_line.flags import last_value
from engines.variants.checkpoint.files import model_place
from engines.variants.checkpoint.weights import read_weights
from engines.variants.siblings import siblings
from engines.variants.variant import Variant

_TIMES = 2


def offered(
    model: str,
    arguments: Sequence[str],
    configured: Sequence[Variant],
    *,
    directory: Path | None = None,
) -> list[Variant]:
    """Every variant, `configured` first; of two with one name the first counts.

    `model` and `arguments` are the running engine's (what follows `vllm serve`), `directory` where
    it runs. What is offered unasked: checkpoints beside the model, the KV cache in 8 bits (or back
    in the model's own type), and twice the limit of running requests where one was given.
    """
    model_dir = model_place(model, directory)
    by_name: dict[str, Variant] = {}
    for variant in (
        *configured,
        *siblings(model_dir, read_weights(model_dir), arguments),
        *_kv_caches(model, arguments),
        *_limits(model, arguments),
    ):
        by_name.setdefault(variant.name, variant)
    return list(by_name.values())


def _kv_caches(model: str, arguments: Sequence[str]) -> Iterator[Variant]:
    current = last_value(arguments, "kv-cache-dtype") or "auto"
    if current == "auto":
        dtype, note = "fp8", "KV cache in 8 bits: more tokens in the same memory"
    else:
        dtype, note = "auto", f"KV cache in the model's own type instead of {current}"
    arguments = ("--kv-cache-dtype", dtype)
    yield Variant(f"kv_cache_dtype={dtype}", model, arguments, origin="kv_cache", note=note)


def _limits(model: str, arguments: Sequence[str]) -> Iterator[Variant]:
    current = last_value(arguments, "max-num-seqs") or ""
    if current.isascii() and current.isdigit() and int(current):
        higher = str(int(current) * _TIMES)
        note = f"up to {higher} requests at once; live, {current} is the most"
        arguments = ("--max-num-seqs", higher)
        yield Variant(f"max_num_seqs={higher}", model, arguments, origin="limits", note=note)
