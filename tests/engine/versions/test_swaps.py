"""Swaps of this version under traffic, and which quantised variants it loads.

No request is lost in any of them, whether the variant can be had or not. A start takes a minute, so
the engine stays what it becomes: nothing that follows asks what it was.
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

SLOW_S = 240.0
"""On a busy machine the first request of an old version takes a minute and more: it compiles."""


@dataclass(frozen=True)
class Variant:
    """A variant's table in the settings, by which strategy it is swapped to, and what of the
    engine's evidence shows that it serves."""

    table: Mapping[str, object]
    strategy: str
    shows: Callable[[Mapping[str, Any]], str]


VARIANTS = {
    "weights in 4 bits": Variant(
        {"model": INT4, "arguments": ["--dtype", "half"]},
        "overlap",
        lambda evidence: ", ".join(kernel for kernel in evidence["kernels"] if "16" in kernel),
    ),
    "KV cache in 8 bits": Variant(
        {"model": MODEL, "arguments": ["--kv-cache-dtype", "fp8"]},
        "stop-start",
        lambda evidence: dict(evidence["limits"]).get("kv-cache-dtype", ""),
    ),
}
"""The quantised variants that trimtab comes with or offers."""

_swapped: set[str] = set()
"""The strategies by which a swap was seen to its end."""


@contextmanager
def asked_meanwhile(trimtab: Trimtab) -> Iterator[Traffic]:
    """Traffic that is answered before and after, and of which nothing fails."""
    with traffic(trimtab.engine.url, MODEL, clients=4) as seen:
        wait_until(lambda: seen.done > 4, SLOW_S)
        yield seen
        after = seen.done
        wait_until(lambda: seen.done > after + 8, SLOW_S)
    assert seen.failed == []


def swap(trimtab: Trimtab, strategy: str, tell: Teller) -> Mapping[str, Any]:
    """Swap to the variant `other` under traffic; the swap's report, done or rolled back.

    One that is done is told as a finding of its strategy.
    """
    before = trimtab.engine.pid
    with asked_meanwhile(trimtab) as seen:
        done, began = seen.done, time.monotonic()
        printed, said = trimtab.begin("swap", "other", "--strategy", strategy).communicate()
        took, answered = time.monotonic() - began, seen.done - done
        report: Mapping[str, Any] = json.loads(printed)
        assert report.get("outcome") in ("done", "rolled back"), (printed, said)
        trimtab.engine.found_again()
    if report["outcome"] == "done":
        assert trimtab.engine.pid != before
        ((waited,),) = trimtab.rows("SELECT waited_s FROM v_swaps")
        assert (waited == 0) == (strategy == "overlap")
        held = f", new connections waited {waited:.0f} s" if waited else ""
        why = f"{took:.0f} s, {answered} requests answered meanwhile{held}"
        tell("swaps", strategy, "no request lost", why)
        _swapped.add(strategy)
    return report


@pytest.mark.parametrize("name", VARIANTS)
def test_a_quantised_variant(trimtab: Trimtab, tmp_path: Path, tell: Teller, name: str) -> None:
    variant = VARIANTS[name]
    configure(tmp_path, LOOSE, other=dict(variant.table))
    report = swap(trimtab, variant.strategy, tell)
    if report["outcome"] == "rolled back":
        assert report["reason"]
        tell("variants", name, "does not load", report["reason"])
        return
    evidence = json.loads(trimtab.rows("SELECT evidence FROM v_swaps")[0][0])["evidence"]
    new, old = variant.shows(evidence["new"]), variant.shows(evidence["old"])
    assert new and new != old, evidence
    tell("variants", name, "serves", new)


@pytest.mark.parametrize("strategy", ["overlap", "stop-start"])
def test_a_swap(trimtab: Trimtab, tmp_path: Path, tell: Teller, strategy: str) -> None:
    """To what any version loads, where no variant was swapped to by this strategy."""
    if strategy in _swapped:
        pytest.skip("a quantised variant was swapped to by it")
    weights = {"model": str(zeroed(tmp_path))}
    limits = {"model": MODEL, "arguments": ["--max-num-seqs", "64"]}
    configure(tmp_path, LOOSE, other=weights if strategy == "overlap" else limits)
    assert swap(trimtab, strategy, tell)["outcome"] == "done"
