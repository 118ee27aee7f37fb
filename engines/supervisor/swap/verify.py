"""Whether a started engine may take over: it answers, something has changed, and it is as good."""

from __future__ import annotations

from engines.quality.asking import Asker
from engines.quality.judging import judge
from engines.quality.scoring import Scores, score
from engines.quality.texts import Text, built_in_texts, read_texts
from engines.supervisor.swap.evidence import unchanged
from engines.supervisor_client.swap_order import Order
from store.errors import NotAchieved, TrimtabError
from store.reports.engine_evidence import EngineEvidence
from store.reports.swap import SwapEvidence


def texts_of(order: Order) -> tuple[Text, ...]:
    """The texts that both engines are asked; raises `BadInput` for a file that holds none."""
    return built_in_texts() if order.texts is None else read_texts(order.texts)


def scores_before(ask: Asker, order: Order, model: str) -> Scores | None:
    """What the engine that runs makes of the texts.

    Where it gives no figures nobody could say whether the new one is as good: raises `NotAchieved`,
    or gives None for an order that takes it all the same.
    """
    scores, reason = _scores_of(ask, order, model)
    if scores is None and not order.keep:
        meaning = f"{reason}; --keep takes the new engine without it"
        raise NotAchieved("the quality of the engine that runs cannot be measured", meaning)
    return scores


def _scores_of(ask: Asker, order: Order, model: str) -> tuple[Scores | None, str]:
    """The figures, or None and why there are none."""
    try:
        scores = score(ask, texts_of(order), model=model)
    except TrimtabError as error:
        return None, error.what
    failures = [text.failure for text in scores.texts if text.failure is not None]
    if len(failures) == len(scores.texts):
        return None, failures[0] if failures else "there are no texts"
    return scores, ""


def verify(
    ask: Asker,
    order: Order,
    model: str,
    *,
    old: EngineEvidence,
    new: EngineEvidence,
    before: Scores | None,
    differs: bool | None,
) -> SwapEvidence:
    """Ask the new engine and weigh what it shows. `differs`: vLLM calls its configuration another.

    Raises `NotAchieved` where it does not answer at all.
    """
    body = {"model": model, "prompt": "The", "max_tokens": 1, "temperature": 0}
    try:
        if not ask("/v1/completions", body).get("choices"):
            raise NotAchieved("the new engine gives no completion")
    except TrimtabError as error:
        raise NotAchieved("the new engine does not answer", error.what) from None
    scores, reason = _scores_of(ask, order, model)
    if scores is None:
        what = "the new engine gives no figures for the texts of the quality check"
        raise NotAchieved(what, reason)
    quality = judge(before, scores, order.thresholds)
    refusal = unchanged(old, new, differs=differs)
    if not refusal and quality.identical and _other_weights(old, new):
        refusal = "its weights are others and its answers the same to the bit: it changed nothing"
    if not refusal and quality.outcome == "fail":
        refusal = "its quality fails: " + "; ".join(quality.reasons)
    return SwapEvidence(old, new, quality, refusal)


def _other_weights(old: EngineEvidence, new: EngineEvidence) -> bool:
    return (old.model, old.asked_quantisation) != (new.model, new.asked_quantisation)
