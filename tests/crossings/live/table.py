"""The part of the table that tells of a real engine. Its cells are run a few at a time, so what ran
before is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product

from tests.crossings.live.faults import FAULTS
from tests.crossings.table import LIVE_TITLE, live_part, word

STRATEGIES = ("overlap", "stop-start")
CELLS = {
    f"swap, {strategy} beside {fault.name}": (strategy, fault)
    for strategy, fault in product(STRATEGIES, FAULTS)
}

_NOT_RUN = "not run"
_HEAD = f"""{LIVE_TITLE}

`make crossings-live` lets a fault strike at a step of a swap of a real vLLM under traffic. In every
cell one engine serves under its name afterwards, requests were answered whole (but for those that
the killed engine had), the ledger tells the swap as it came out, a knob can be turned, and nobody
else's process was touched.

| strategy | fault | |
| --- | --- | --- |
"""


def with_results(document: str, passed: Mapping[str, bool]) -> str:
    """The document with these cells told as they ran now, the others as they were told in it."""
    told = {
        (strategy, fault): outcome
        for strategy, fault, outcome in re.findall(
            r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", live_part(document), re.MULTILINE
        )
    }
    for cell, has_passed in passed.items():
        strategy, fault = CELLS[cell]
        told[strategy, fault.name] = word(has_passed)
    rows = (
        f"| {strategy} | {fault.name} | {told.get((strategy, fault.name), _NOT_RUN)} |\n"
        for strategy, fault in CELLS.values()
    )
    return document.removesuffix(live_part(document)).rstrip() + "\n\n" + _HEAD + "".join(rows)
