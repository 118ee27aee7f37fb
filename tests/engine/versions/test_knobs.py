"""Each knob on this version: read, set, refused outside its bounds, taken back, and its effect."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from engines.control.client import PluginClient
from store.knobs.bounds import bounds_text
from store.knobs.specs import KNOBS
from store.records import KnobState, format_value
from tests.engine.command import Trimtab
from tests.engine.conftest import LiveEngine
from tests.engine.knob_effects import knob
from tests.engine.versions.effects import EFFECTS
from tests.engine.versions.findings import Teller
from tests.engine.versions.recording import recorded

pytestmark = [pytest.mark.engine, pytest.mark.wide]


def test_the_engine_starts_with_the_plugin(engine: LiveEngine, version: str, tell: Teller) -> None:
    hello = [PluginClient(path).hello() for path in engine.sockets]
    assert [one.vllm_version.partition("+")[0] for one in hello] == [version]
    tell("knobs", "starts with the plugin", "yes")


@pytest.mark.parametrize("name", KNOBS)
def test_a_knob(trimtab: Trimtab, under_load: Callable[..., Any], tell: Teller, name: str) -> None:
    state, effect = knob(trimtab.engine, name), EFFECTS[name]
    if state.kind != "live":
        assert state.reason
        tell("knobs", name, "not live", state.reason)
        return
    refused_outside(trimtab, state)
    beside = recorded(trimtab) if effect.recorded else nullcontext()
    with beside, under_load(clients=effect.clients, tokens=effect.tokens) as load:
        before = effect.measure(trimtab, load)
        (change,) = trimtab("set", f"{name}={format_value(effect.value)}")
        told = (change["from"], change["to"], change["outcome"])
        assert told == (state.value, effect.value, "applied")
        assert knob(trimtab.engine, name).value == effect.value
        turned = effect.measure(trimtab, load)
        assert trimtab("undo")["to"] == state.value
        assert knob(trimtab.engine, name).value == state.value
        after = effect.measure(trimtab, load)
    assert load.failed == []
    assert effect.holds(before, turned) and effect.holds(after, turned), (before, turned, after)
    tell("knobs", name, f"live, {bounds_text(state)}", effect.words(before, turned, after))


def refused_outside(trimtab: Trimtab, state: KnobState) -> None:
    """What lies outside its bounds is refused, and the value stays."""
    outside = ["7"] if state.minimum is None or state.maximum is None else []
    if state.minimum is not None:
        outside.append(str(state.minimum - 1))
    if state.maximum is not None:
        outside.append(str(state.maximum + 1))
    for value in outside:
        trimtab("set", f"{state.name}={value}", code=2)
    assert knob(trimtab.engine, state.name).value == state.value
