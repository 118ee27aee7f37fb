"""Cards in words: what one tells now in a line that fits 78 columns, and rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from app.text.output import UNKNOWN
from store.metrics.formats import format_bytes, three_digits

if TYPE_CHECKING:
    from store.metrics.cards import CardAccount
    from store.tables.cards import CardRow


@dataclass(frozen=True, slots=True)
class CardLine:
    """A card as it stands, for a line of its own. `is_held` says whether a recorded engine has it,
    `is_own` whether that is the engine on the screen; the errors are those of the last day, None
    where the card does not tell."""

    row: CardRow
    is_held: bool = False
    is_own: bool = False
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    xids: int | None = None


_THROTTLE = {
    "power": "power",
    "thermal": "heat",
    "hw_thermal": "heat!",
    "power_brake": "brake",
    "sync_boost": "sync",
}
"""Why clocks are held back, in a word."""
_MAKERS = ("NVIDIA ", "GeForce ", "Graphics ", "Tesla ")


def throttle_word(causes: tuple[str, ...]) -> str:
    """The causes for which a card's clocks are held back; '' for none."""
    return "+".join(_THROTTLE.get(cause, cause) for cause in causes)


def short_name(name: str) -> str:
    """A product's name without its maker's."""
    for word in _MAKERS:
        name = name.removeprefix(word)
    return name


TABLE = ("gpu", "busy", "memory", "power", "°C", "SM MHz", "held back", "ECC", "XID", "held by",
         "cost")  # fmt: skip
"""Titles of the columns of a card's row."""
WORDS = frozenset({"gpu", "held back", "held by"})
"""Those of them whose cells are words."""


def table_row(account: CardAccount) -> tuple[str, ...]:
    """A card over a span, a cell for each of `TABLE`."""
    values = account.values
    state = "" if values["state"] == "ok" else f" ({values['state']})"
    watts, limit = values.get("power_w"), values.get("power_limit_w")
    return (
        f"{values['gpu']} {short_name(str(values['name']))}{state}",
        _share(values.get("gpu_utilisation_mean")),
        _bytes(values.get("gpu_memory_bytes")),
        UNKNOWN if watts is None else f"{_whole(watts)}/{_whole(limit)} W",
        _whole(values.get("temperature_max_c")),
        _whole(values.get("sm_clock_mhz")),
        _throttled(values),
        f"{_whole(values.get('ecc_corrected'))}/{_whole(values.get('ecc_uncorrected'))}",
        _whole(values.get("xids")),
        _holders(values),
        _usd(values.get("cost_usd")),
    )


def _holders(values: Mapping[str, object]) -> str:
    """Who held the card, and for which part of the time nobody did."""
    engines = cast("Mapping[str, float]", values["engines"])
    seconds, idle = cast(float, values["seconds"]), cast(float, values["idle_seconds"])
    parts = [f"{name} {held / seconds:.0%}" for name, held in engines.items()]
    if idle > 0.005 * seconds or not parts:
        parts.append(f"nobody {idle / seconds:.0%}")
    return ", ".join(parts)


def _throttled(values: Mapping[str, object]) -> str:
    causes = cast("Mapping[str, float | None]", values.get("throttled_seconds") or {})
    known = {cause: held for cause, held in causes.items() if held}
    if known:
        return ", ".join(f"{_THROTTLE[cause]} {held:.0f} s" for cause, held in known.items())
    return UNKNOWN if all(held is None for held in causes.values()) else "no"


def _share(value: object) -> str:
    return UNKNOWN if value is None else f"{cast(float, value):.0%}"


def _bytes(value: object) -> str:
    return UNKNOWN if value is None else format_bytes(cast(float, value))


def _whole(value: object) -> str:
    return UNKNOWN if value is None else f"{cast(float, value):.0f}"


def _usd(value: object) -> str:
    return UNKNOWN if value is None else f"${three_digits(cast(float, value))}"
