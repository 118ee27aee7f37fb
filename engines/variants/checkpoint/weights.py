"""What a model's files tell before anything is loaded: bytes, types, shape."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.variants.checkpoint import quantisation
from engines.variants.checkpoint.safetensors import Unreadable, tensor_bytes
from store.foreign_text import printable

MAX_JSON = 16 << 20
MOST_FILES = 2_000
_INDEX = "model.safetensors.index.json"
_WITHOUT_HEADERS = ("*.gguf", "pytorch_model*.bin", "*.bin", "*.pt", "*.pth")


@dataclass(frozen=True, slots=True)
class Weights:
    """A model on disk. What is not told is None; `problem` says why the files cannot be used.

    `tensors` are bytes by type as safetensors names them (empty for other formats). `kv_values` is
    how many numbers the KV cache keeps for one token, over all layers; `max_length` how many tokens
    a request may have, `shape` what two checkpoints of one model have in common.
    """

    bytes_on_disk: int | None = None
    quantisation: str | None = None
    dtype: str | None = None
    architecture: str | None = None
    layers: int | None = None
    kv_values: int | None = None
    max_length: int | None = None
    shape: tuple[int | None, ...] = ()
    tensors: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


def read_weights(model_dir: Path) -> Weights:
    """Read config.json, the headers of the safetensors files, and sizes. Loads no tensor and never
    raises."""
    try:
        if model_dir.is_file():
            size = model_dir.stat().st_size
            return Weights(bytes_on_disk=size, quantisation=model_dir.suffix[1:])
        if not model_dir.is_dir():
            raise Unreadable(f"there is no directory {printable(str(model_dir))}")
        config = _json_object(model_dir / "config.json")
    except (Unreadable, OSError) as error:
        return Weights(problem=printable(str(error)))
    config_values = _of_config(config)
    try:
        size, tensors = _files(model_dir)
    except (Unreadable, OSError) as error:
        return Weights(**config_values, problem=printable(str(error)))
    return Weights(**config_values, bytes_on_disk=size, tensors=tensors)


def _of_config(config: Mapping[str, Any]) -> dict[str, Any]:
    text_config = config.get("text_config")
    text: Mapping[str, Any] = text_config if isinstance(text_config, dict) else config
    names = config.get("architectures")
    dtype = config.get("dtype") or config.get("torch_dtype") or text.get("dtype")
    return {
        "quantisation": quantisation.describe(config),
        "dtype": printable(dtype.removeprefix("torch.")) if isinstance(dtype, str) else None,
        "architecture": printable(str(names[0])) if isinstance(names, list) and names else None,
        "layers": _count(text, "num_hidden_layers"),
        "kv_values": _kv_values(text),
        "max_length": _count(text, "max_position_embeddings"),
        "shape": tuple(
            _count(text, name) for name in ("num_hidden_layers", "hidden_size", "vocab_size")
        ),
    }


def _kv_values(config: Mapping[str, Any]) -> int | None:
    """Keys and values of all heads and layers; with latent attention (`kv_lora_rank`, DeepSeek) one
    compressed vector and the rotary part instead. Sliding windows would need less."""
    layers = _count(config, "num_hidden_layers")
    latent = _count(config, "kv_lora_rank")
    if layers and latent:
        return layers * (latent + (_count(config, "qk_rope_head_dim") or 0))
    heads = _count(config, "num_attention_heads")
    kv_heads = _count(config, "num_key_value_heads") or heads
    size = _count(config, "head_dim")
    hidden_size = _count(config, "hidden_size")
    if size is None and hidden_size and heads:
        size = hidden_size // heads
    return 2 * layers * kv_heads * size if layers and kv_heads and size else None


def _count(config: Mapping[str, Any], name: str) -> int | None:
    value = config.get(name)
    return value if isinstance(value, int) and value > 0 else None


def _files(model_dir: Path) -> tuple[int, Counter[str]]:
    """Bytes of the weight files, and of their tensors by type where their format tells."""
    shards = _shards(model_dir)
    tensors: Counter[str] = Counter()
    for path in shards:
        tensors += tensor_bytes(path)
    files = shards
    for pattern in _WITHOUT_HEADERS:
        files = files or sorted(model_dir.glob(pattern))[:MOST_FILES]
    if not files:
        raise Unreadable(f"{model_dir.name} holds no weights")
    return sum(path.stat().st_size for path in files), tensors


def _shards(model_dir: Path) -> list[Path]:
    """The safetensors files that vLLM loads: those the index names, else all of them.

    Some publishers add a second copy in one `consolidated` file.
    """
    if (model_dir / _INDEX).is_file():
        parts = _json_object(model_dir / _INDEX).get("weight_map")
        names = {str(name) for name in parts.values()} if isinstance(parts, dict) else set()
        files = [model_dir / Path(name).name for name in sorted(names)]
    else:
        all_files = sorted(model_dir.glob("*.safetensors"))
        files = [
            path for path in all_files if not path.name.startswith("consolidated")
        ] or all_files
    if len(files) > MOST_FILES:
        raise Unreadable(f"{model_dir.name} holds more than {MOST_FILES} weight files")
    return files


def _json_object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON:
            raise Unreadable(f"{path.name} is larger than {MAX_JSON >> 20} MiB")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise Unreadable(f"{path.name}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, RecursionError):
        raise Unreadable(f"{path.name} is not JSON") from None
    if not isinstance(value, dict):
        raise Unreadable(f"{path.name} is not a JSON object")
    return value
