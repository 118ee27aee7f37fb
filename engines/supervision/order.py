"""What a swap is asked to do, as it goes over the supervisor's socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engines.quality.thresholds import Thresholds
from engines.variants import Variant
from engines.variants.strategy import STRATEGIES, Strategy
from store.clock import now_ms


@dataclass(frozen=True, slots=True)
class Order:
    """A swap to `variant`, or back to what served before the last one if that is None. Each start
    and each drain has its own limit in seconds.

    With `keep` an engine that fails verification is taken all the same. `texts` is the user's file
    of texts for the quality check, the built-in ones if None; `db` the ledger to tell.
    """

    id: str
    variant: Variant | None
    strategy: Strategy = "auto"
    start_s: float = 600.0
    drain_s: float = 60.0
    keep: bool = False
    who: str = ""
    why: str = ""
    thresholds: Thresholds = field(default_factory=Thresholds)
    texts: Path | None = None
    db: Path | None = None
    asked_ms: int = field(default_factory=now_ms)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = asdict(self)
        told["texts"] = None if self.texts is None else str(self.texts)
        told["db"] = None if self.db is None else str(self.db)
        return told


def order_from_json(told: Mapping[str, Any]) -> Order:
    """What `to_json` wrote; raises ValueError, TypeError or KeyError for anything else."""
    variant = told["variant"]
    if told["strategy"] not in STRATEGIES:
        raise ValueError("strategy is auto, overlap or stop-start")
    return Order(
        id=str(told["id"]),
        variant=None
        if variant is None
        else Variant(**variant | {"arguments": tuple(map(str, variant["arguments"]))}),
        strategy=told["strategy"],
        start_s=float(told["start_s"]),
        drain_s=float(told["drain_s"]),
        keep=told["keep"] is True,
        who=str(told["who"]),
        why=str(told["why"]),
        thresholds=Thresholds(**told["thresholds"]),
        texts=None if told["texts"] is None else Path(told["texts"]),
        db=None if told["db"] is None else Path(told["db"]),
        asked_ms=int(told["asked_ms"]),
    )
