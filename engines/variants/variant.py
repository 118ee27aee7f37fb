"""A named target of a swap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Origin = Literal["settings", "sibling", "kv_cache", "limits", "start"]
"""Where a variant comes from: the settings file, a directory beside the model, another type of KV
cache, higher limits, or the command that an engine was started with."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What an engine could be swapped to.

    `model` is a path or a name as vLLM takes it. `arguments` take the place of the same flags of
    the running engine (`engines.variants.merge`), `environment` is added to its variables; both may
    hold secrets, so show them through `engines.cleaning.redact`.
    """

    name: str
    model: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = "settings"
    note: str = ""
