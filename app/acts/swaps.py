"""Swapping an engine: the plan, and the order to its supervisor."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.acts.audit import who
from app.acts.variants import find_variant, variants_of
from app.settings import Settings
from engines import serving
from engines.redact import redact_arguments
from engines.variants import Estimate, Variant, estimate
from store.errors import NotAchieved
from store.formats import format_bytes

if TYPE_CHECKING:
    from engines.discovery import EngineInfo
    from engines.supervisor.order import Order, Strategy


@dataclass(frozen=True, slots=True)
class Plan:
    """A variant of one engine and what it would need."""

    variant: Variant
    estimate: Estimate

    @property
    def strategy(self) -> Strategy:
        """What `auto` would come to."""
        from engines.supervisor.order import strategy_for

        return strategy_for(self.estimate)

    def lines(self, engine: EngineInfo) -> list[str]:
        """For a person."""
        needs = self.estimate.memory_bytes
        words = " ".join((self.variant.model, *redact_arguments(self.variant.arguments)))
        wait = (
            "nobody waits: both run for a while"
            if self.strategy == "overlap"
            else "new connections wait in the queue until the new engine has started"
        )
        memory = "–" if needs is None else format_bytes(needs)
        return [
            f"{engine.name} -> {self.variant.name}: {words}",
            f"memory: {memory}, {self.estimate.verdict}: {self.estimate.reason}",
            f"strategy: {self.strategy}; {wait}",
        ]

    def to_json(self, engine: EngineInfo) -> dict[str, Any]:
        """For a program."""
        return {
            "engine": engine.name,
            "variant": self.variant.name,
            "model": self.variant.model,
            "arguments": list(redact_arguments(self.variant.arguments)),
            "memory_bytes": self.estimate.memory_bytes,
            "verdict": self.estimate.verdict,
            "reason": self.estimate.reason,
            "strategy": self.strategy,
        }


def plan_of(engine: EngineInfo, name: str, settings: Settings) -> Plan:
    """The plan of a swap; raises `BadInput` for a variant there is not."""
    variant = find_variant(name, variants_of(engine, settings))
    return Plan(variant, estimate(variant, engine))


def supervised_name(engine: EngineInfo) -> str:
    """What the supervisor of this engine calls it; raises `NotAchieved` where it has none."""
    from engines.supervisor.client import status

    for one in serving.list_serving():
        if one.pid == engine.pid and status(one.name) is not None:
            return one.name
    raise NotAchieved(
        f"{engine.name} cannot be swapped",
        "no supervisor of trimtab's owns its address",
        "start it with `trimtab serve`",
    )


def order_for(
    plan: Plan,
    settings: Settings,
    *,
    strategy: str,
    start_s: float,
    drain_s: float,
    keep: bool,
    why: str,
    db: Path,
) -> Order:
    """The order for a plan, with the quality limits of the settings."""
    from dataclasses import fields
    from typing import cast

    from engines.quality.thresholds import Thresholds
    from engines.supervisor.order import Order

    limits = {field.name: getattr(settings.quality, field.name) for field in fields(Thresholds)}
    return Order(
        id=uuid.uuid4().hex,
        variant=plan.variant,
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
