"""Which engines the words of a command mean."""

from dataclasses import replace

import pytest

from app.cli.shared.choose import live_engine, live_engines, require_one_meant
from engines.discovery import find
from engines.engine_info import EngineInfo
from engines.held_gpus import StatedGpus
from store.errors import BadInput, EngineUnreachable

CHAT = EngineInfo("http://127.0.0.1:9", "chat")
CODE = EngineInfo("http://127.0.0.1:10", "code")
THEIRS = EngineInfo("http://127.0.0.1:11", "theirs", user="mallory")


@pytest.fixture(autouse=True)
def three_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "find_engines", lambda **_: [CHAT, CODE, THEIRS])
    probed = EngineInfo("", "probed", user="mallory")
    monkeypatch.setattr(find, "probe", lambda url, _, **__: replace(probed, url=url))


def test_names_and_addresses_are_taken_in_their_order() -> None:
    chosen = live_engines(["code", "http://127.0.0.1:11", "chat"], None)
    assert [engine.name for engine in chosen] == ["code", "probed", "chat"]


def test_without_a_word_all_of_our_own_are_meant() -> None:
    assert live_engines([], None) == [CHAT, CODE]


def test_an_engine_of_another_user_is_recorded_by_its_address_only() -> None:
    with pytest.raises(EngineUnreachable, match="theirs belongs to another user") as refused:
        live_engines(["chat", "theirs"], None)
    assert "http://127.0.0.1:11" in str(refused.value)
    assert live_engine("theirs", None) == THEIRS


def test_a_name_that_nobody_has_is_told_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="No engine is called 'chta'") as refused:
        live_engines(["chta"], None)
    assert "chat (http://127.0.0.1:9)" in str(refused.value)


def test_gpus_without_a_name_are_of_the_only_engine_that_is_meant() -> None:
    only, of_one = StatedGpus({"": "0"}), StatedGpus({"chat": "0"})
    require_one_meant(only, [CHAT])
    require_one_meant(of_one, [CHAT, CODE])
    with pytest.raises(BadInput, match="--gpus 0 could be of several") as raised:
        require_one_meant(only, [CHAT, CODE])
    assert "--gpus chat=0" in raised.value.remedy
