"""What the scripts that make models share: rounding to 4 bits, and a model's directory.

Imported from beside them by the engine environment's Python, not by trimtab's own.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
from safetensors.torch import save_file  # type: ignore[import-not-found,unused-ignore]


def quantise(weights: Mapping[str, Any], group: int) -> dict[str, Any]:
    """Every projection as 4-bit integers: round to nearest, one fp16 scale per `group` inputs."""
    packed: dict[str, Any] = {}
    for name, weight in weights.items():
        if not name.endswith("_proj.weight"):
            packed[name] = weight
            continue
        rows, columns = weight.shape
        groups = weight.float().reshape(rows, columns // group, group)
        scale = (groups.abs().amax(dim=2, keepdim=True) / 7.5).to(torch.float16)
        levels = torch.clamp(torch.round(groups / scale.float()), -8, 7)
        stem = name.removesuffix("weight")
        packed[f"{stem}weight_packed"] = _pack(levels.reshape(rows, columns).to(torch.int64))
        packed[f"{stem}weight_scale"] = scale.reshape(rows, columns // group).contiguous()
        packed[f"{stem}weight_shape"] = torch.tensor([rows, columns], dtype=torch.int64)
    return packed


def _pack(levels: Any) -> Any:
    """Eight 4-bit levels (offset by 8) to an int32, the first in the lowest bits."""
    rows, columns = levels.shape
    nibbles = (levels + 8).reshape(rows, columns // 8, 8)
    words = (nibbles << (4 * torch.arange(8))).sum(dim=2)
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)


def quantisation(group: int) -> dict[str, object]:
    """The part of `config.json` that tells of `quantise`."""
    return {
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "quantization_status": "compressed",
            "ignore": ["lm_head"],
            "kv_cache_scheme": None,
            "config_groups": {
                "group_0": {
                    "targets": ["Linear"],
                    "input_activations": None,
                    "output_activations": None,
                    "weights": {
                        "num_bits": 4,
                        "type": "int",
                        "symmetric": True,
                        "strategy": "group",
                        "group_size": group,
                        "dynamic": False,
                    },
                }
            },
        }
    }


def write_model(
    directory: Path, weights: dict[str, Any], tokenizer: Any, settings: Mapping[str, object]
) -> None:
    """Write one model beside its place, then rename it there.

    `settings` holds the JSON files by name without their ending: `config` and the like.
    """
    making = directory.with_name(f".{directory.name}.{os.getpid()}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    save_file(weights, str(making / "model.safetensors"), metadata={"format": "pt"})
    tokenizer.save(str(making / "tokenizer.json"))
    for name, content in settings.items():
        (making / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    if directory.exists():
        shutil.rmtree(directory)
    making.rename(directory)
