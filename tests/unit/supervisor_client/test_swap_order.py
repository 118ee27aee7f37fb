"""An order comes back as it was; what a supervisor could not carry out is none."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from engines.supervisor_client.swap_order import LONGEST_S, Order, order_from_json, seconds
from engines.variants.variant import Variant
from store.foreign_text import LONGEST_REMARK
from store.reports.thresholds import Thresholds

VARIANT = Variant("int4", "org/model", ("--dir", "/odd/\udcff"), {"A": "b=c"}, "sibling", "small")
ORDER = Order(
    "id",
    VARIANT,
    "overlap",
    keep=True,
    who="ada",
    why="half the memory",
    thresholds=Thresholds(max_kl=0.5),
    texts=Path("/t.jsonl"),
    db=Path("/l.db"),
    planned_on="0123",
)


def written(order: Order = ORDER) -> dict[str, Any]:
    """As it comes over the socket."""
    fields: dict[str, Any] = json.loads(json.dumps(order.to_json()))
    return fields


def test_it_comes_back_as_it_was() -> None:
    back = Order("id", None)
    assert order_from_json(written()) == ORDER
    assert order_from_json(written(back)) == back
    earlier = written()
    del earlier["planned_on"]
    assert order_from_json(earlier).planned_on == ""


def test_a_remark_is_made_one_printable_line() -> None:
    order = order_from_json({**written(), "why": "caf\udce9\n" + "x" * 1_000})
    assert order.why.isprintable()
    assert len(order.why) == LONGEST_REMARK
    assert order_from_json(written(order)) == order


@pytest.mark.parametrize("field", ["id", "variant", "strategy", "start_s", "keep", "thresholds"])
def test_what_is_missing_makes_it_none(field: str) -> None:
    fields = written()
    del fields[field]
    with pytest.raises(ValueError):
        order_from_json(fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 7),
        ("id", "a\nb"),
        ("why", None),
        ("strategy", []),
        ("start_s", math.nan),
        ("start_s", 10**400),
        ("drain_s", -1),
        ("drain_s", 1e308),
        ("keep", 1),
        ("asked_ms", math.inf),
        ("texts", "/t\0"),
        ("db", "/\ud800"),
        ("db", 7),
        ("thresholds", {"max_kl": math.nan}),
        ("thresholds", {"no such": 1}),
        ("variant", "int4"),
    ],
)
def test_what_could_not_be_carried_out_is_no_order(field: str, value: object) -> None:
    with pytest.raises(ValueError):
        order_from_json({**written(), field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("model", "a\0"),
        ("arguments", "--x"),
        ("arguments", ["--x", 1]),
        ("environment", [["A", "b"]]),
        ("environment", {"A": {"deep": {}}}),
        ("environment", {"A=B": "c"}),
        ("environment", {"": "c"}),
        ("origin", "nowhere"),
    ],
)
def test_a_variant_that_could_not_be_started_is_none(field: str, value: object) -> None:
    """Its words would be handed to a process by the thread that supervises."""
    fields = written()
    fields["variant"][field] = value
    with pytest.raises(ValueError):
        order_from_json(fields)


def test_a_time_can_be_waited_for() -> None:
    assert seconds(0) == 0.0
    assert seconds(LONGEST_S) == LONGEST_S
    for value in (True, "1", None, math.inf, LONGEST_S + 1):
        with pytest.raises(ValueError):
            seconds(value)
