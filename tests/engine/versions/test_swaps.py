"""Swaps of this version under traffic, and which quantised variants it loads.

No request is lost in any of them, whether the variant can be had or not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.clients import Traffic, traffic
from tests.engine.command import Trimtab
from tests.engine.conftest import MODEL
from tests.engine.other_weights import INT4, zeroed
from tests.engine.swap_settings import LOOSE, configure
from tests.engine.versions.findings import Teller
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine, pytest.mark.wide]

THERE = ("swap", "other", "--strategy", "overlap")
BACK = ("undo", "--strategy", "stop-start")


@dataclass(frozen=True)
class Variant:
    """A variant's table in the settings, and what of the engine's evidence shows that it serves."""

    table: Mapping[str, object]
    shows: Callable[[Mapping[str, Any]], str]


VARIANTS = {
    "weights in 4 bits": Variant(
        {"model": INT4, "arguments": ["--dtype", "half"]},
        lambda evidence: ", ".join(kernel for kernel in evidence["kernels"] if "16" in kernel),
    ),
    "KV cache in 8 bits": Variant(
        {"model": MODEL, "arguments": ["--kv-cache-dtype", "fp8"]},
        lambda evidence: dict(evidence["limits"]).get("kv-cache-dtype", ""),
    ),
}
"""The quantised variants that trimtab comes with or offers. The engine stays what it becomes: the
way back would cost a start, and nothing that follows asks what it was."""


@contextmanager
def asked_meanwhile(trimtab: Trimtab) -> Iterator[Traffic]:
    """Traffic that is answered before and after, and of which nothing fails."""
    with traffic(trimtab.engine.url, MODEL, clients=4) as seen:
        wait_until(lambda: seen.done > 4)
        yield seen
        after = seen.done
        wait_until(lambda: seen.done > after + 8)
    assert seen.failed == []


def test_a_swap_and_back(trimtab: Trimtab, tmp_path: Path, tell: Teller) -> None:
    configure(tmp_path, LOOSE, other={"model": str(zeroed(tmp_path))})
    pids = [trimtab.engine.pid]
    with asked_meanwhile(trimtab) as seen:
        for command in (THERE, BACK):
            done, began, strategy = seen.done, time.monotonic(), command[-1]
            trimtab(*command)
            took, answered = time.monotonic() - began, seen.done - done
            trimtab.engine.found_again()
            pids.append(trimtab.engine.pid)
            ((waited,),) = trimtab.rows("SELECT waited_s FROM v_swaps ORDER BY ts_ms DESC LIMIT 1")
            assert (waited == 0) == (strategy == "overlap")
            held = f", new connections waited {waited:.0f} s" if waited else ""
            why = f"{took:.0f} s, {answered} requests answered meanwhile{held}"
            tell("swaps", strategy, "no request lost", why)
    assert len(set(pids)) == 3


@pytest.mark.parametrize("name", VARIANTS)
def test_a_quantised_variant(trimtab: Trimtab, tmp_path: Path, tell: Teller, name: str) -> None:
    variant, before = VARIANTS[name], trimtab.engine.pid
    configure(tmp_path, LOOSE, other=dict(variant.table))
    with asked_meanwhile(trimtab):
        told, printed = trimtab.begin(*THERE).communicate(timeout=400)
        swap = json.loads(told)
        assert swap.get("outcome") in ("done", "rolled back"), (told, printed)
        trimtab.engine.found_again()
    if swap["outcome"] == "rolled back":
        assert swap["reason"] and trimtab.engine.pid == before
        tell("variants", name, "does not load", swap["reason"])
        return
    row = trimtab.rows("SELECT evidence FROM v_swaps ORDER BY ts_ms LIMIT 1")[0][0]
    evidence = json.loads(row)["evidence"]
    new, old = variant.shows(evidence["new"]), variant.shows(evidence["old"])
    assert new and new != old, evidence
    tell("variants", name, "serves", new)
