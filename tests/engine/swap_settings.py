"""The settings of swaps of the real engine: variants, and the limits to judge them by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOOSE = {"max_loglik_drop": 0.5, "min_top1_agreement": 0.3, "max_kl": 1.0}
"""The demo's weights are random: 4 bits change their order of preference more than a trained
model's. The limits that ship with the program refuse it."""


def configure(directory: Path, limits: dict[str, float], **variants: dict[str, object]) -> None:
    """Write the settings file."""
    lines = [f"[quality]\n{_toml(limits)}"]
    lines += [f"[variants.{name}]\n{_toml(table)}" for name, table in variants.items()]
    (directory / "settings.toml").write_text("\n".join(lines))


def _toml(table: dict[str, Any]) -> str:
    told = {
        key: " = ".join(("", json.dumps(value)))
        if not isinstance(value, dict)
        else f" = {{ {', '.join(f'{name} = {json.dumps(one)}' for name, one in value.items())} }}"
        for key, value in table.items()
    }
    return "".join(f"{key}{text}\n" for key, text in told.items())
