"""The settings file and its environment variables.

`settings.toml` in the configuration directory, every key optional; `TRIMTAB_<KEY>` overrides a key.
The keys, their defaults and what they mean are the fields of `Settings`, written once: the
pydantic-settings model that reads the file is made from them, and only when there is something to
read, because importing pydantic costs a start 50 ms and 9 MiB.

The API key of an engine is not a setting: it comes from `--api-key` or TRIMTAB_API_KEY, and is
never read from a file, stored or shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from store.reports.thresholds import Thresholds

if TYPE_CHECKING:
    pass

ENV_PREFIX = "TRIMTAB_"


@dataclass(frozen=True)
class VariantTable:
    """A `[variants.NAME]` table: what `trimtab swap NAME` makes of an engine."""

    model: str | None = None
    """A directory, a demo model, or a name as vLLM takes it; without one the engine's own model."""

    arguments: tuple[str, ...] = ()
    """vLLM arguments, each in place of the running engine's: `["--kv-cache-dtype", "fp8"]`."""

    environment: dict[str, str] = field(default_factory=dict, repr=False)
    """Variables added to the engine's. Values may be secret: shown redacted only."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True)
class QualityTable(Thresholds):
    """The `[quality]` table: how far a swapped engine may be from the one before it."""

    texts: Path | None = None
    """A JSONL of your own texts, one `{"prompt": ...}` a line; without it the built-in ones."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclass(frozen=True)
class Settings:
    """Everything a person can set; see the attribute docstrings."""

    prices: dict[str, float] = field(default_factory=dict)
    """US dollars an hour by a part of the device's product name, as a `[prices]` table:
    `"H100 80GB" = 2.49`. The longest name that fits wins, before the built-in table."""

    gpus: dict[str, str] = field(default_factory=dict)
    """Which GPUs an engine holds where that cannot be seen (in a container, say), by the engine's
    name or address, as a `[gpus]` table: `llama = "0,1"`. Numbers as `trimtab doctor` shows them
    (a MIG slice `0:1`), UUIDs or their beginnings, or `none`."""

    host_usd_per_hour: float | None = None
    """US dollars an hour of the whole host, for engines that run on the CPU."""

    db: Path | None = None
    """The ledger to use when no `--db` is given."""

    every: float = 1.0
    """Seconds between two readings of an engine, 0.2 to 60."""

    slow_link: bool = False
    """Draw less often, for a slow SSH connection."""

    variants: dict[str, VariantTable] = field(default_factory=dict)
    """Targets of a swap by name, as `[variants.NAME]` tables."""

    quality: QualityTable = field(default_factory=QualityTable)
    """When a swap has kept the quality of the answers, as a `[quality]` table."""
