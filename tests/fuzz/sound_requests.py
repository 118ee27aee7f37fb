"""Sound requests of each protocol, as our own clients write them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from engines.supervisor_client.swap_order import Order
from engines.variants.variant import Variant
from tests.fuzz.mutations import Tree
from tests.fuzz.reference import BOUNDS

SECRET = "sk-never-to-be-told-5d1f"
"""In the environment and the arguments of every target: no answer may hold it."""


def sound_request(protocol: str, chance: Random) -> Tree:
    """One request of this protocol."""
    return {"v": 1, **chance.choice(_REQUESTS[protocol])(chance)}


def _bare(*ops: str) -> Callable[[Random], Tree]:
    return lambda chance: {"op": chance.choice(ops)}


def _journal(chance: Random) -> Tree:
    return {"op": "journal", "since": chance.choice((0, 1, chance.randint(0, 500)))}


def _change_id(chance: Random) -> str:
    return f"change-{chance.randrange(40)}"


def _set(chance: Random) -> Tree:
    knob, (low, high) = chance.choice(list(BOUNDS.items()))
    value: Any = chance.randint(low, high + 1)
    if isinstance(low, bool):
        value = chance.random() < 0.5
    return {
        "op": "set",
        "id": f"change-{chance.randrange(10**6)}" if chance.random() < 0.8 else _change_id(chance),
        "knob": knob,
        "value": value,
        "who": "fuzz",
        "why": chance.choice(("", "to see")),
        "cause": chance.choice(("set", "set", "undo")),
        "lease_s": chance.choice((None, 0.01, 0.05, 60.0)),
        "undoes": chance.choice((None, _change_id(chance))),
        "hold": chance.random() < 0.2,
    }


def _confirm(chance: Random) -> Tree:
    return {"op": "confirm", "id": _change_id(chance)}


def _put_back(chance: Random) -> Tree:
    return {"op": "put_back", "id": _change_id(chance), "why": "not taken everywhere"}


def _stop(chance: Random) -> Tree:
    return {"op": "stop", "drain_s": chance.choice((0, 2.5, 30.0))}


def _swap(chance: Random) -> Tree:
    variant = Variant(
        "int4", "org/model", ("--quantization", "awq"), {"VLLM_LOGGING_LEVEL": "INFO"}, note="small"
    )
    order = Order(f"swap-{chance.randrange(100)}", chance.choice((variant, variant, None)))
    written = order.to_json()
    written["variant"] = _as_read(written["variant"])
    written["planned_on"] = chance.choice(("", "", "0123456789abcdef"))
    written["texts"] = chance.choice((None, "/nowhere/texts.jsonl"))
    return {"op": "swap", "order": written}


def _as_read(variant: Any) -> Any:
    """With lists where JSON has them."""
    return variant and {**variant, "arguments": list(variant["arguments"])}


_REQUESTS: dict[str, tuple[Callable[[Random], Tree], ...]] = {
    "plugin": (_bare("hello", "knobs"), _journal, _set, _set, _set, _confirm, _put_back),
    "front": (_bare("hello", "state", "open", "close", "listener"),),
    "supervisor": (_bare("hello", "status", "call off"), _stop, _swap, _swap),
}
