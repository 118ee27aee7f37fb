"""Swapping an engine: the plan, and the order to its supervisor."""

from __future__ import annotations

import uuid
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.acts.audit import who
from app.offers.all_variants import check_address, find_variant, variants_of
from app.offers.expectation import waiting_text
from app.offers.offer import Offer, Wanted, size_text
from app.offers.weigher import Weigher
from app.settings.values import Settings
from engines.quality.texts import read_texts
from engines.supervisor_client.status import SupervisorStatus
from engines.supervisor_client.swap_order import DRAIN_S, START_S, Order
from engines.variants.strategy import Strategy
from store.errors import NotAchieved
from store.reports.thresholds import Thresholds

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo
    from store.ledger.connection import Ledger


def plan_lines(offer: Offer, engine: EngineInfo, strategy: str) -> list[str]:
    """The plan for a person; `strategy` is the one asked for."""
    room, chosen = offer.room, offer.strategy_for(strategy)
    return [
        f"{engine.name} -> {offer.name}: {offer.started_with}",
        f"memory: {size_text(room.needed)}, {room.verdict}: {room.reason}",
        f"strategy: {chosen}; {waiting_text(chosen, offer.expected)}",
    ]


def plan_json(offer: Offer, engine: EngineInfo, strategy: str) -> dict[str, Any]:
    """The plan for a program."""
    chosen = offer.strategy_for(strategy)
    start = offer.expected.start(chosen)
    kept = offer.expected.traffic_kept if chosen == "overlap" else None
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
        "expected_traffic_kept": None if kept is None else [kept.low, kept.high],
    }


def plan_of(engine: EngineInfo, name: str, settings: Settings, ledger: Ledger | None) -> Offer:
    """The plan of a swap; raises `BadInput` for a variant there is not."""
    variant = find_variant(name, variants_of(engine, settings))
    return Weigher(engine, ledger).weigh(variant)


def supervised_name(engine: EngineInfo) -> str:
    """What the supervisor of this engine calls it; raises `NotAchieved` where it has none."""
    if engine.supervisor is None:
        raise NotAchieved(
            f"{engine.name} cannot be swapped",
            "no supervisor of trimtab's owns its address",
            "`trimtab adopt` puts it under one; `trimtab serve` starts engines that have one",
        )
    return engine.supervisor


def order_for(
    wanted: Wanted,
    settings: Settings,
    *,
    db: Path,
    start_s: float = START_S,
    drain_s: float = DRAIN_S,
) -> Order:
    """The order of a swap as it was confirmed, with the quality limits of the settings.

    Raises BadInput for a variant that would move the address, or a file of texts that cannot be
    used.
    """
    offer = wanted.offer
    if offer.variant is not None:
        check_address(offer.variant)
    assert offer.back == (offer.variant is None)
    return replace(
        _order(settings, db),
        variant=offer.variant,
        planned_on=offer.planned_on,
        strategy=wanted.strategy,
        keep=wanted.keep,
        why=wanted.why,
        start_s=start_s,
        drain_s=drain_s,
    )


def order_back(
    supervisor: SupervisorStatus, settings: Settings, *, db: Path, strategy: Strategy, why: str
) -> Order:
    """The order to go back to what served before the last swap, as the supervisor tells it now."""
    back = _order(settings, db)
    return replace(back, planned_on=supervisor.launch_id, strategy=strategy, why=why)


def _order(settings: Settings, db: Path) -> Order:
    """An order back by this person now, with the quality limits of the settings."""
    if settings.quality.texts is not None:
        read_texts(settings.quality.texts)
    limits = {field.name: getattr(settings.quality, field.name) for field in fields(Thresholds)}
    return Order(
        id=uuid.uuid4().hex,
        variant=None,
        who=who(),
        thresholds=Thresholds(**limits),
        texts=settings.quality.texts,
        db=db,
    )
