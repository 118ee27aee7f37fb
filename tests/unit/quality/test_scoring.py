"""Scoring over real sockets: what is asked, what is made of the answer, and what may go wrong."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engines.quality.asking import over_http, over_socket
from engines.quality.scoring import TextScore, score
from engines.quality.texts import Text
from engines.web.http import ReadFailed
from tests.fakes.completions import ByteModel, completions
from tests.servers import hangs, reply, says_and_closes, serving

TEXT = Text("a", "news", "Rain, then sun.")
PAIR = Text("b", "question", "2 + 2 =", " 4")


def score_one(model: ByteModel, text: Text = TEXT) -> TextScore:
    with completions(model) as url:
        (found,) = score(over_http(url), [text], model=model.name).texts
    return found


def test_every_token_after_the_first_has_its_likelihood_and_the_top() -> None:
    model = ByteModel()
    found = score_one(model)
    data = TEXT.text.encode()
    assert found.tokens == tuple(data[1:])
    expected = [model.logprobs(a)[b] for a, b in pairwise(data)]
    assert found.logprobs == pytest.approx(expected, abs=1e-12)
    assert all(len(top) in (20, 21) for top in found.top)
    assert found.failure is None
    assert model.asked[0] == {
        "path": "/v1/completions",
        "model": "bytes",
        "prompt": TEXT.text,
        "max_tokens": 1,
        "temperature": 0,
        "prompt_logprobs": 20,
        "return_token_ids": True,
    }


def test_an_engine_that_tells_no_token_ids_lists_the_token_first() -> None:
    def without_ids(_: dict[str, Any], said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        del said["choices"][0]["prompt_token_ids"]
        return 200, said

    assert score_one(ByteModel(edit=without_ids)) == score_one(ByteModel())


@pytest.mark.parametrize(
    ("completion", "matched"),
    [(" 4", True), (" 4.\n3", True), ("4", True), (" 42", False), (" five", False), ("", False)],
)
def test_a_prompt_with_an_answer_is_completed_and_scored_whole(
    completion: str, matched: bool
) -> None:
    model = ByteModel(completion=completion)
    found = score_one(model, PAIR)
    assert found.matched is matched
    assert bytes(found.tokens) == b" + 2 = 4"
    assert [asked["prompt"] for asked in model.asked] == ["2 + 2 = 4", "2 + 2 ="]
    assert "prompt_logprobs" not in model.asked[1]


def test_over_a_unix_socket_with_a_key(tmp_path: Path) -> None:
    model = ByteModel()
    path = tmp_path / "engine.sock"
    with completions(model, path):
        scores = score(over_socket(path, api_key="sk-1"), [TEXT], model="bytes")
    assert scores.texts[0] == score_one(ByteModel())
    assert "Bearer sk-1" in model.headers[0]


@pytest.mark.parametrize(("status", "broken"), [(400, False), (500, True), (503, True)])
def test_a_text_that_the_engine_does_not_score(status: int, broken: bool) -> None:
    found = score_one(ByteModel(edit=lambda _, said: (status, said)))
    assert found.failure == f"HTTP {status}"
    assert found.broken is broken
    assert found.tokens == ()


@pytest.mark.parametrize("status", [401, 404])
def test_an_engine_that_answers_no_text_at_all(status: int) -> None:
    with pytest.raises(ReadFailed, match=str(status)):
        score_one(ByteModel(edit=lambda _, said: (status, said)))


@pytest.mark.parametrize(
    ("listed", "failure", "broken"),
    [
        (None, "tells no log probabilities", False),
        ([None], "too short", False),
        ([None, {"97": {"logprob": float("nan")}}], "not numbers", True),
        ([None, {"97": {"logprob": 3.5}}], "--logprobs-mode", False),
        ([None, {"97": 1}], "unknown shape", False),
        ([None, {"x": {"logprob": -1}}], "unknown shape", False),
        ([None, {}], "without", False),
        ([None, None], "unknown shape", False),
    ],
)
def test_log_probabilities_that_cannot_be_used(listed: Any, failure: str, broken: bool) -> None:
    def edit(_: dict[str, Any], said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        said["choices"][0]["prompt_logprobs"] = listed
        return 200, said

    found = score_one(ByteModel(edit=edit))
    assert failure in (found.failure or "")
    assert found.broken is broken


def test_no_choice_is_the_engine_s_fault() -> None:
    found = score_one(ByteModel(edit=lambda _, said: (200, {"choices": []})))
    assert found.broken


def test_a_server_that_hangs_or_speaks_no_json() -> None:
    with serving(hangs) as server, pytest.raises(ReadFailed, match="no whole answer within"):
        score(over_http(server.url, deadline_s=0.3), [TEXT], model="m")
    for body in (b"hello", b"[" * 100_000, b"[]"):
        with serving(says_and_closes(reply(body))) as server, pytest.raises(ReadFailed):
            score(over_http(server.url), [TEXT], model="m")
