"""trimtab variants"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.options import api_key_option, command, common, engine_option
from app.output import UNKNOWN, print_json, print_table, say

if TYPE_CHECKING:
    from engines.discovery import EngineInfo
    from engines.variants import Estimate, Variant, Weights


@command("variants")
@engine_option
@api_key_option
@common
def command_(*, engine: str | None, api_key: str | None, as_json: bool, db: Path | None) -> None:
    """List what an engine could be swapped to, and whether it fits.

    First the [variants.NAME] tables of the settings file, then what this machine offers: models
    beside the running one in another quantisation, another type of KV cache, a higher limit.
    `needs` is an estimate of memory, `free` what is free now, `stopped` once the engine has ended.
    """
    from app.acts.variants import variants_of
    from app.cli.choose import live_engine
    from app.settings import load_settings
    from engines.variants import estimate, room_of, running_variant, weights_of

    del db
    settings = load_settings()
    chosen = live_engine(engine, api_key)
    found = variants_of(chosen, settings)
    rooms = room_of(chosen)
    rows = []
    for variant in found:
        weights = weights_of(variant, chosen)
        rows.append((variant, weights, estimate(variant, chosen, weights=weights, rooms=rooms)))
    if as_json:
        print_json([variant_json(*row, chosen) for row in rows])
        return
    running = running_variant(chosen)
    if running is not None:
        now = weights_of(running, chosen)
        say(f"{chosen.name} runs {running.model}: {_size(now.bytes_on_disk)}, {_words(now)}")
    print_table(
        [
            ("variant", "left"),
            ("on disk", "right"),
            ("quantisation", "left"),
            ("dtype", "left"),
            ("needs", "right"),
            ("free", "right"),
            ("stopped", "right"),
            ("verdict", "left"),
        ],
        [_row(*row, chosen) for row in rows],
    )
    for variant, _, told in rows:
        say(f"{variant.name}: {variant.note}; {told.verdict}: {told.reason}")


def variant_json(
    variant: Variant, weights: Weights, told: Estimate, engine: EngineInfo
) -> dict[str, object]:
    """One variant as scripts read it: sizes in bytes, secrets hidden."""
    from engines.redact import redact_arguments, redact_environment

    return {
        "name": variant.name,
        "engine": engine.name,
        "origin": variant.origin,
        "note": variant.note,
        "model": variant.model,
        "arguments": list(redact_arguments(variant.arguments)),
        "environment": redact_environment(variant.environment),
        "command": list(redact_arguments(_command(variant, engine))),
        "weights_on_disk": weights.bytes_on_disk,
        "quantisation": weights.quantisation,
        "dtype": _dtype(variant, weights, engine),
        "architecture": weights.architecture,
        "device": told.device,
        "weights_bytes": told.weights_bytes,
        "memory_bytes": told.memory_bytes,
        "free_bytes": told.free_bytes,
        "free_after_stop_bytes": told.free_after_stop_bytes,
        "verdict": told.verdict,
        "reason": told.reason,
    }


def _command(variant: Variant, engine: EngineInfo) -> tuple[str, ...]:
    from engines.processes import serve_arguments
    from engines.variants import merged_arguments

    return merged_arguments(serve_arguments(engine.arguments) or (), variant)


def _dtype(variant: Variant, weights: Weights, engine: EngineInfo) -> str | None:
    """The type that the engine would compute in; `auto` follows the model's own."""
    from engines.variants.flags import last_value

    told = last_value(_command(variant, engine), "dtype")
    return weights.dtype if told in (None, "auto") else told


def _row(variant: Variant, weights: Weights, told: Estimate, engine: EngineInfo) -> tuple[str, ...]:
    return (
        variant.name,
        _size(weights.bytes_on_disk),
        weights.quantisation or UNKNOWN,
        _dtype(variant, weights, engine) or UNKNOWN,
        _size(told.memory_bytes),
        _size(told.free_bytes),
        _size(told.free_after_stop_bytes),
        told.verdict,
    )


def _words(weights: Weights) -> str:
    return f"{weights.quantisation or 'not quantised'}, {weights.problem or weights.dtype}"


def _size(amount: int | None) -> str:
    from store.formats import format_bytes

    return UNKNOWN if amount is None else format_bytes(amount)
