"""How a checkpoint is quantised, in a few words, from its config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from store.foreign_text import printable

_NAME_SAYS_ALL = frozenset({"fp8", "mxfp4", "modelopt", "bitsandbytes"})
"""Methods whose name already says the width of a weight, or that write it another way."""


def describe(config: Mapping[str, Any]) -> str | None:
    """`gptq int4`, `compressed-tensors int8, activations int8`, `fp8`; None for what is not.

    Multimodal models say it of their text model.
    """
    settings = config.get("quantization_config") or config.get("compression_config")
    if settings is None and isinstance(config.get("text_config"), dict):
        settings = config["text_config"].get("quantization_config")
    if not isinstance(settings, dict):
        return None
    method = str(settings.get("quant_method") or settings.get("quant_algo") or "quantised")
    if settings.get("load_in_4bit"):
        return printable(f"{method} 4-bit")
    bits = settings.get("bits", settings.get("w_bit"))
    if isinstance(bits, int) and method not in _NAME_SAYS_ALL:
        return printable(f"{method} int{bits}")
    return printable(" ".join(filter(None, (method, _groups(settings.get("config_groups"))))))


def _groups(groups: object) -> str:
    """The widths of compressed-tensors' groups: `int4`, `float8, activations float8`."""
    if not isinstance(groups, dict):
        return ""
    widths: dict[str, None] = {}
    for group in groups.values():
        if isinstance(group, dict) and (weights := _width(group.get("weights"))):
            activations = _width(group.get("input_activations"))
            widths[f"{weights}, activations {activations}" if activations else weights] = None
    return "; ".join(widths)


def _width(scheme: object) -> str:
    if not isinstance(scheme, dict) or not isinstance(scheme.get("num_bits"), int):
        return ""
    return f"{scheme.get('type', 'int')}{scheme['num_bits']}"
