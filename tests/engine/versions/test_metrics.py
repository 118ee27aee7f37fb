"""Each metric on this version: known, or unknown with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from store.metrics.specs import METRICS
from tests.engine.command import Trimtab
from tests.engine.versions.findings import Teller
from tests.engine.versions.recording import recorded

pytestmark = [pytest.mark.engine, pytest.mark.wide]

LOADED_S = 12.0
COUNTED_S = 3.0
"""Longer than the recorder needs to see what was answered last."""


def test_every_metric_is_known_or_says_why(
    trimtab: Trimtab, under_load: Callable[..., Any], tell: Teller
) -> None:
    with recorded(trimtab):
        time.sleep(COUNTED_S)
        with under_load(clients=6, tokens=16) as load:
            time.sleep(LOADED_S)
        time.sleep(COUNTED_S)
        shown = trimtab("show", "--last", "5m")
    assert load.failed == []
    assert shown["requests"] == load.done
    assert shown["generation_tokens"] == 16 * load.done
    assert 0 < shown["cache_hit_rate"] < 1
    for spec in METRICS:
        known = shown[spec.name] is not None or spec.name in shown["bounds"]
        why = "" if known else shown["reasons"][spec.name]
        assert known or why
        tell("metrics", spec.name, "known" if known else "–", why)
