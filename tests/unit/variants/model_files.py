"""Small model directories as checkpoints lie on disk."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 4,
    "hidden_size": 256,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 2048,
    "max_position_embeddings": 4096,
    "torch_dtype": "float16",
}
INT4 = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}},
}


def write_tensors(path: Path, tensors: Mapping[str, int], *, cut: int = 0) -> None:
    """A safetensors file with one tensor of each type and size in bytes, `cut` bytes short."""
    header, at = {}, 0
    for kind, size in tensors.items():
        header[kind.lower()] = {"dtype": kind, "shape": [size], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header | {"__metadata__": {"format": "pt"}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * (at - cut))


def write_model(path: Path, tensors: Mapping[str, int] | None = None, **config: object) -> Path:
    """A directory with config.json and one safetensors file."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(LLAMA | config))
    write_tensors(path / "model.safetensors", {"F16": 1000} if tensors is None else tensors)
    return path
