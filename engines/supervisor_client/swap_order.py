"""What a swap is asked to do, as it goes over the supervisor's socket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from engines.variants.strategy import STRATEGIES, Strategy
from engines.variants.variant import Origin, Variant
from store.clock import now_ms
from store.foreign_text import remark
from store.reports.fields import a_count, a_number, an_object
from store.reports.thresholds import Thresholds, thresholds_from_json

START_S = 600.0
"""How long a new engine may take to start, where nothing else is asked for."""
DRAIN_S = 60.0
"""How long running requests may take to finish."""
LONGEST_S = 10 * 365 * 86_400.0
"""A longer time than a person can ask for; some that are longer no thread can wait for."""


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


def order_from_json(written: object) -> Order:
    """What `to_json` wrote; raises ValueError for anything else."""
    fields = an_object(written)
    if fields is None or "variant" not in fields:
        raise ValueError("it is no object with a variant")
    if fields.get("strategy") not in STRATEGIES:
        raise ValueError("strategy is auto, overlap or stop-start")
    asked_ms = a_count(fields.get("asked_ms"))
    if asked_ms is None or not isinstance(fields.get("keep"), bool):
        raise ValueError("asked_ms is a whole number, keep true or false")
    return Order(
        id=_line(fields, "id"),
        variant=_variant(fields["variant"]),
        strategy=cast(Strategy, fields["strategy"]),
        start_s=seconds(fields.get("start_s")),
        drain_s=seconds(fields.get("drain_s")),
        keep=fields["keep"],
        who=_remark(fields, "who"),
        why=_remark(fields, "why"),
        thresholds=_thresholds(fields.get("thresholds")),
        texts=_path(fields, "texts"),
        db=_path(fields, "db"),
        asked_ms=asked_ms,
        planned_on=_line({"planned_on": "", **fields}, "planned_on"),
    )


def seconds(value: object) -> float:
    """A time that can be waited for; raises ValueError for anything else."""
    number = a_number(value)
    if number is None or not 0 <= number <= LONGEST_S:
        raise ValueError("a time is a number of seconds, ten years at most")
    return float(number)


def _variant(written: object) -> Variant | None:
    if written is None:
        return None
    fields = an_object(written)
    if fields is None or fields.get("origin") not in get_args(Origin):
        raise ValueError("variant is no variant")
    environment = an_object(fields.get("environment"))
    arguments = fields.get("arguments")
    if environment is None or not isinstance(arguments, list):
        raise ValueError("arguments is a list, environment an object")
    return Variant(
        name=_word(fields.get("name")),
        model=_word(fields.get("model")),
        arguments=tuple(map(_word, arguments)),
        environment={_name(name): _word(value) for name, value in environment.items()},
        origin=cast(Origin, fields["origin"]),
        note=_word(fields.get("note")),
    )


def _thresholds(written: object) -> Thresholds:
    fields, limits = an_object(written), thresholds_from_json(written)
    if fields is None or limits is None:
        raise ValueError("thresholds is no object")
    if any(getattr(limits, name, None) != value for name, value in fields.items()):
        raise ValueError("thresholds are no limits of a swap's quality")
    return limits


def _path(fields: Mapping[str, Any], field: str) -> Path | None:
    return None if fields.get(field) is None else Path(_word(fields[field]))


def _word(value: object) -> str:
    """A text that can be given to a process, or be a file's name."""
    if not isinstance(value, str) or b"\0" in os.fsencode(value):
        raise ValueError("a word is a text without zero bytes")
    return value


def _name(value: str) -> str:
    """A text that can name a variable of an environment."""
    if not value or "=" in value:
        raise ValueError("a variable's name is not empty and has no `=`")
    return _word(value)


def _line(fields: Mapping[str, Any], field: str) -> str:
    """A text that something is known by, in a ledger, too."""
    value = fields.get(field)
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError(f"{field} is a line of text")
    return value


def _remark(fields: Mapping[str, Any], field: str) -> str:
    """A text that is kept and shown, made fit for both."""
    value = fields.get(field)
    if not isinstance(value, str):
        raise ValueError(f"{field} is a text")
    return remark(value)
