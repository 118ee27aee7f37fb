"""Quality on a real engine: the same twice is the same to the bit, and what it says makes sense."""

import pytest

from engines.quality.asking import over_http
from engines.quality.judging import judge
from engines.quality.scoring import score
from engines.quality.texts import built_in_texts
from store.reports.thresholds import Thresholds
from tests.engine.conftest import MODEL, LiveEngine

pytestmark = pytest.mark.engine


def test_the_same_engine_twice_passes_with_no_difference(engine: LiveEngine) -> None:
    texts = built_in_texts()
    ask = over_http(engine.url)
    old = score(ask, texts, model=MODEL)
    new = score(ask, texts, model=MODEL)
    found = judge(old, new, Thresholds())
    assert found.outcome == "pass", found.reasons
    assert found.loglik_difference == found.kl == 0
    assert found.top1_agreement == 1
    assert found.identical is True
    assert (found.texts, found.pairs) == (len(texts), 8)
    assert found.tokens > 2 * Thresholds().min_tokens
    assert found.loglik_new is not None
    assert -20 < found.loglik_new < -1


def test_a_cached_prefix_changes_no_figure(engine: LiveEngine) -> None:
    """Scoring does not read the prefix cache, so a text already served scores the same."""
    texts = built_in_texts()[:6]
    ask = over_http(engine.url)
    before = score(ask, texts, model=MODEL)
    for text in texts:
        engine.complete(text.text, tokens=4)
    assert score(ask, texts, model=MODEL) == before


def test_a_context_that_is_too_short_is_told_for_that_text(engine: LiveEngine) -> None:
    long = built_in_texts()[0]
    long = type(long)("long", "given", long.text * 20)
    fine = built_in_texts()[1]
    found = score(over_http(engine.url), [long, fine], model=MODEL).texts
    assert found[0].failure == "HTTP 400"
    assert not found[0].broken
    assert found[1].failure is None
