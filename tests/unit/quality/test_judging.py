"""Verdicts on scores read over a real socket from models that are more or less alike."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

from engines.quality.asking import over_http
from engines.quality.judging import judge
from engines.quality.scoring import Scores, score
from engines.quality.texts import Text, built_in_texts
from store.reports.quality import QualityVerdict
from store.reports.thresholds import Thresholds
from tests.fakes.completions import ByteModel, completions

TEXTS = [
    *(text for text in built_in_texts() if text.expected is None),
    Text("sum", "question", "2 + 2 =", " 4"),
]
LIMITS = Thresholds()


def scored(model: ByteModel, texts: Sequence[Text] = TEXTS[-8:]) -> Scores:
    with completions(model) as url:
        return score(over_http(url), texts, model=model.name)


@pytest.fixture(scope="module")
def old() -> Scores:
    return scored(ByteModel("old", completion=" 4"))


def test_the_same_model_passes_with_no_difference(old: Scores) -> None:
    found = judge(old, scored(ByteModel("old", completion=" 4")), LIMITS)
    assert found.outcome == "pass"
    assert found.loglik_difference == found.kl == 0
    assert found.loglik_interval == found.kl_interval == (0, 0)
    assert found.top1_agreement == 1
    assert found.identical is True
    assert (found.exact_matches_old, found.exact_matches_new, found.pairs) == (1, 1, 1)
    assert found.tokens == sum(len(text.whole.encode()) - 1 for text in TEXTS[-8:])
    assert len(found.reasons) == 3
    assert all(reason.endswith("kept") for reason in found.reasons)


def test_a_little_noise_passes_and_is_seen(old: Scores) -> None:
    found = judge(old, scored(ByteModel("new", noise=0.01)), LIMITS)
    assert found.outcome == "pass"
    assert found.identical is False
    assert found.kl is not None
    assert 0 < found.kl < 0.001
    assert (found.exact_matches_old, found.exact_matches_new) == (1, 0)
    assert found.by_register.keys() == {text.register for text in TEXTS[-8:]}


def test_much_noise_fails_and_says_at_what(old: Scores) -> None:
    found = judge(old, scored(ByteModel("new", noise=2.0)), LIMITS)
    assert found.outcome == "fail"
    assert found.kl is not None
    assert found.kl > LIMITS.max_kl
    assert any(reason.startswith("KL") and reason.endswith("broken") for reason in found.reasons)


def test_a_loss_is_told_as_negative(old: Scores) -> None:
    worse = dataclasses.replace(
        old,
        texts=tuple(
            dataclasses.replace(text, logprobs=tuple(value - 0.2 for value in text.logprobs))
            for text in old.texts
        ),
    )
    found = judge(old, worse, LIMITS)
    assert found.outcome == "fail"
    assert found.loglik_difference == pytest.approx(-0.2)
    assert judge(worse, old, LIMITS).outcome == "pass"
    lenient = Thresholds(max_loglik_drop=0.21)
    assert judge(old, worse, lenient).outcome == "pass"


def test_an_interval_across_the_limit_is_no_verdict(old: Scores) -> None:
    new = scored(ByteModel("new", noise=0.3))
    found = judge(old, new, Thresholds(max_kl=9, max_loglik_drop=9, min_top1_agreement=0.0))
    assert found.outcome == "pass"
    assert found.kl is not None
    assert found.kl_interval is not None
    assert found.kl_interval[0] < found.kl < found.kl_interval[1]
    at_it = Thresholds(max_kl=found.kl, max_loglik_drop=9, min_top1_agreement=0.0)
    told = judge(old, new, at_it)
    assert told.outcome == "abstain"
    assert "cannot be told" in told.reasons[2]
    assert told.kl == found.kl


def test_without_the_old_engine_there_is_nothing_to_tell(old: Scores) -> None:
    found = judge(None, old, LIMITS)
    assert found.outcome == "abstain"
    assert "no scores of the old engine" in found.reasons[0]
    assert found.loglik_difference is found.kl is found.identical is None


def test_another_tokenizer_is_not_compared(old: Scores) -> None:
    found = judge(old, scored(ByteModel("old", offset=7)), LIMITS)
    assert found.outcome == "abstain"
    assert "different tokens" in found.reasons[0]


def test_too_little_to_tell(old: Scores) -> None:
    few = dataclasses.replace(old, texts=old.texts[:4])
    assert "4 texts, fewer than 5" in judge(old, few, LIMITS).reasons[0]
    found = judge(old, old, Thresholds(min_tokens=100_000))
    assert found.outcome == "abstain"
    assert "fewer than 100000" in found.reasons[0]


def test_a_new_engine_that_breaks_fails_even_without_an_old_one(old: Scores) -> None:
    broken = scored(ByteModel("new", edit=lambda _, said: (500, said)))
    for before in (old, None):
        found = judge(before, broken, LIMITS)
        assert found.outcome == "fail"
        assert "breaks on 8 of 8 texts" in found.reasons[0]
        assert "HTTP 500" in found.reasons[0]
    assert judge(broken, broken, LIMITS).outcome == "abstain"


def test_texts_that_one_engine_refuses_are_left_out_and_named(old: Scores) -> None:
    refusing = scored(
        ByteModel(
            "old", edit=lambda asked, said: (400 if "2 + 2" in asked["prompt"] else 200, said)
        )
    )
    found = judge(old, refusing, LIMITS)
    assert found.outcome == "pass"
    assert found.texts == 7
    assert "1 of 8 texts, first sum: HTTP 400" in found.reasons[-1]


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_verdict_is_kept_as_json(old: Scores, noise: float) -> None:
    for before in (old, None):
        found = judge(before, scored(ByteModel("new", noise=noise)), LIMITS)
        kept = json.dumps(found.to_json(), allow_nan=False)
        assert QualityVerdict.from_json(json.loads(kept)) == found


def test_a_model_s_name_cannot_write_to_the_terminal(old: Scores) -> None:
    found = judge(old, dataclasses.replace(old, model="a\x1b[2Jb"), LIMITS)
    assert found.new_model is not None
    assert found.new_model.isprintable()


def test_the_settings_do_not_load_numpy_or_http() -> None:
    code = (
        "import sys; import store.reports.thresholds;"
        "sys.exit(not {'numpy', 'httpx'}.isdisjoint(sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
