"""Swapping an engine: the plan, and the order to its supervisor."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.acts.audit import who
from app.offers.expectation import waiting_text
from app.offers.offer import Offer, size_text
from app.offers.variants import find_variant, variants_of
from app.offers.weigher import Weigher
from app.settings.values import Settings
from engines.serving import names, registry
from engines.variants import Variant
from store.errors import NotAchieved

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo
    from engines.supervision.order import Order
    from engines.variants.strategy import Strategy
    from store.ledger.connection import Ledger

START_S = 600.0
"""How long a new engine may take to start, where nothing else is asked for."""
DRAIN_S = 60.0
"""How long running requests may take to finish."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A variant of one engine, and how it weighs."""

    variant: Variant
    offer: Offer

    def lines(self, engine: EngineInfo, strategy: str) -> list[str]:
        """For a person; `strategy` is the one asked for."""
        offer, room = self.offer, self.offer.room
        chosen = offer.strategy if strategy == "auto" else strategy
        return [
            f"{engine.name} -> {offer.name}: {offer.started_with}",
            f"memory: {size_text(room.needed)}, {room.verdict}: {room.reason}",
            f"strategy: {chosen}; {waiting_text(chosen, offer.expected)}",
        ]

    def to_json(self, engine: EngineInfo, strategy: str) -> dict[str, Any]:
        """For a program."""
        offer = self.offer
        chosen = offer.strategy if strategy == "auto" else strategy
        start = offer.expected.start(chosen)
        return {
            "engine": engine.name,
            "variant": offer.name,
            "model": offer.files.model,
            "arguments": list(offer.arguments),
            "memory_bytes": offer.room.needed,
            "verdict": offer.room.verdict,
            "reason": offer.room.reason,
            "strategy": chosen,
            "expected_start_s": None if start is None else [start.low_s, start.high_s],
        }


def plan_of(engine: EngineInfo, name: str, settings: Settings, ledger: Ledger | None) -> Plan:
    """The plan of a swap; raises `BadInput` for a variant there is not."""
    variant = find_variant(name, variants_of(engine, settings))
    return Plan(variant, Weigher(engine, ledger).weigh(variant))


def supervised_name(engine: EngineInfo) -> str:
    """What the supervisor of this engine calls it; raises `NotAchieved` where it has none."""
    if engine.supervisor is None:
        raise NotAchieved(
            f"{engine.name} cannot be swapped",
            "no supervisor of trimtab's owns its address",
            "`trimtab adopt` puts it under one; `trimtab serve` starts engines that have one",
        )
    return engine.supervisor


def supervised_at(url: str) -> str:
    """The name of the engine whose supervisor owns this address, also in the midst of a swap.

    Raises `NotAchieved` where there is none.
    """
    from engines.supervision.client import status

    for one in registry.list_serving():
        name = names.base_name(one.name)
        if one.url == url and status(name) is not None:
            return name
    raise NotAchieved(f"No supervisor of trimtab's owns {url}")


def order_for(
    variant: Variant | None,
    settings: Settings,
    *,
    db: Path,
    strategy: str = "auto",
    start_s: float = START_S,
    drain_s: float = DRAIN_S,
    keep: bool = False,
    why: str = "",
) -> Order:
    """The order of a swap to `variant` (None: back to what served before the last one), with the
    quality limits of the settings. Raises BadInput for a file of texts that cannot be used."""
    from dataclasses import fields
    from typing import cast

    from engines.quality.texts import read_texts
    from engines.quality.thresholds import Thresholds
    from engines.supervision.order import Order

    if settings.quality.texts is not None:
        read_texts(settings.quality.texts)
    limits = {field.name: getattr(settings.quality, field.name) for field in fields(Thresholds)}
    return Order(
        id=uuid.uuid4().hex,
        variant=variant,
        strategy=cast("Strategy", strategy),
        start_s=start_s,
        drain_s=drain_s,
        keep=keep,
        who=who(),
        why=why,
        thresholds=Thresholds(**limits),
        texts=settings.quality.texts,
        db=db,
    )
