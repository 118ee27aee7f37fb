"""What a swap is asked to do, as it goes over the supervisor's socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engines.variants.strategy import STRATEGIES, Strategy
from engines.variants.variant import Variant
from store.clock import now_ms
from store.reports.thresholds import Thresholds

START_S = 600.0
"""How long a new engine may take to start, where nothing else is asked for."""
DRAIN_S = 60.0
"""How long running requests may take to finish."""


@dataclass(frozen=True, slots=True)
class Order:
    """A swap to `variant`, or back to what served before the last one if that is None. Each start
    and each drain has its own limit in seconds.

    With `keep` an engine that fails verification is taken all the same. `texts` is the user's file
    of texts for the quality check, the built-in ones if None; `db` the ledger to tell. `planned_on`
    is the `SupervisorStatus.launch_id` for which the plan was made: an engine that has been swapped
    since is not touched. An order without one is taken as it is.
    """

    id: str
    variant: Variant | None
    strategy: Strategy = "auto"
    start_s: float = START_S
    drain_s: float = DRAIN_S
    keep: bool = False
    who: str = ""
    why: str = ""
    thresholds: Thresholds = field(default_factory=Thresholds)
    texts: Path | None = None
    db: Path | None = None
    asked_ms: int = field(default_factory=now_ms)
    planned_on: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        values = asdict(self)
        values["texts"] = None if self.texts is None else str(self.texts)
        values["db"] = None if self.db is None else str(self.db)
        return values


def order_from_json(written: Mapping[str, Any]) -> Order:
    """What `to_json` wrote; raises ValueError, TypeError or KeyError for anything else."""
    variant = written["variant"]
    if written["strategy"] not in STRATEGIES:
        raise ValueError("strategy is auto, overlap or stop-start")
    return Order(
        id=str(written["id"]),
        variant=None
        if variant is None
        else Variant(**variant | {"arguments": tuple(map(str, variant["arguments"]))}),
        strategy=written["strategy"],
        start_s=float(written["start_s"]),
        drain_s=float(written["drain_s"]),
        keep=written["keep"] is True,
        who=str(written["who"]),
        why=str(written["why"]),
        thresholds=Thresholds(**written["thresholds"]),
        texts=None if written["texts"] is None else Path(written["texts"]),
        db=None if written["db"] is None else Path(written["db"]),
        asked_ms=int(written["asked_ms"]),
        planned_on=str(written.get("planned_on", "")),
    )
