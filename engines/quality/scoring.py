"""One engine's figures on a set of texts.

`/v1/completions` with `prompt_logprobs` gives, for every token of a text after the first, the log
probability (nats) of that token and of the most likely ones. vLLM does not read its prefix cache
for such a request, so the figures are computed anew, twice the same on one idle engine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engines.quality.asking import Asker
from engines.quality.texts import Text
from engines.web.http import ReadFailed

PATH = "/v1/completions"
TOP = 20
"""Log probabilities asked for at each position: what vLLM's `--max-logprobs` allows by default.
The more there are, the nearer `divergence.least_kl` comes to the true divergence."""

_REFUSED = frozenset({400, 413, 422})
"""Statuses with which an engine turns down one text, say as too long for its context."""

_ROUNDING = 1e-3
_MOST_ANSWER_TOKENS = 256


@dataclass(frozen=True, slots=True)
class TextScore:
    """A text as an engine sees it: n token ids, n log probabilities, n times the top tokens.

    The first token of the text has no context and is left out. `matched` says whether the greedy
    completion of a prompt is the expected answer. `failure` says why there are no figures, and
    `broken` that it is the engine's fault: an error of its own, or figures that are no numbers.
    """

    id: str
    register: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    top: tuple[Mapping[int, float], ...] = ()
    matched: bool | None = None
    failure: str | None = None
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Scores:
    """What one engine, serving `model`, made of each text, in their order."""

    model: str
    texts: tuple[TextScore, ...]


class _Unusable(Exception):
    def __init__(self, reason: str, *, broken: bool) -> None:
        super().__init__(reason)
        self.broken = broken


def score(ask: Asker, texts: Sequence[Text], *, model: str) -> Scores:
    """Score every text, one after the other.

    Raises `ReadFailed` where the engine does not answer in time or does not know the model.
    """
    return Scores(model, tuple(_score_text(ask, text, model) for text in texts))


def _score_text(ask: Asker, text: Text, model: str) -> TextScore:
    body = {"model": model, "prompt": text.whole, "max_tokens": 1, "temperature": 0}
    try:
        reply = ask(PATH, body | {"prompt_logprobs": TOP, "return_token_ids": True})
        tokens, tops = _positions(_choice(reply))
        matched = _answers(ask, text, model)
    except _Unusable as error:
        return TextScore(text.id, text.register, failure=str(error), broken=error.broken)
    except ReadFailed as error:
        if error.status is None or (error.status < 500 and error.status not in _REFUSED):
            raise
        broken = error.status >= 500
        return TextScore(text.id, text.register, failure=error.what, broken=broken)
    logprobs = tuple(top[token] for token, top in zip(tokens, tops, strict=True))
    return TextScore(text.id, text.register, tokens, logprobs, tops, matched)


def _answers(ask: Asker, text: Text, model: str) -> bool | None:
    """Whether the most likely completion begins with the expected answer, as a whole word."""
    if text.expected is None:
        return None
    # A token is at least a byte of the answer, but for the few that stand for spaces before it.
    room = min(len(text.expected.encode()) + 4, _MOST_ANSWER_TOKENS)
    body = {"model": model, "prompt": text.text, "max_tokens": room, "temperature": 0}
    answer = _choice(ask(PATH, body)).get("text")
    if not isinstance(answer, str):
        raise _Unusable("the answer has no text", broken=True)
    expected, answer = text.expected.strip(), answer.strip()
    after = answer[len(expected) : len(expected) + 1]
    return answer.startswith(expected) and not after.isalnum()


def _choice(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _Unusable("the answer has no choice", broken=True)
    return choices[0]


def _positions(
    choice: Mapping[str, Any],
) -> tuple[tuple[int, ...], tuple[Mapping[int, float], ...]]:
    """The token at each position but the first, and the log probabilities listed there."""
    entries = choice.get("prompt_logprobs")
    if not isinstance(entries, list):
        raise _Unusable("the engine tells no log probabilities of a prompt", broken=False)
    tops = tuple(_listed(entry) for entry in entries[1:])
    if not tops:
        raise _Unusable("too short: no token has one before it", broken=False)
    ids = choice.get("prompt_token_ids")
    if isinstance(ids, list) and len(ids) == len(entries):
        tokens = tuple(ids[1:])
    else:  # engines before 0.10.2 do not tell them; the prompt's own token is listed first
        tokens = tuple(next(iter(top)) for top in tops)
    if any(token not in top for token, top in zip(tokens, tops, strict=True)):
        raise _Unusable("a token of the text is not among those listed", broken=False)
    return tokens, tops


def _listed(position: Any) -> Mapping[int, float]:
    try:
        logprobs = {int(token): float(entry["logprob"]) for token, entry in position.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _Unusable("log probabilities of an unknown shape", broken=False) from None
    if not logprobs:
        raise _Unusable("a position without log probabilities", broken=False)
    if any(math.isnan(value) for value in logprobs.values()):
        raise _Unusable("log probabilities that are not numbers", broken=True)
    if max(logprobs.values()) > _ROUNDING:
        raise _Unusable("no log probabilities: see the engine's --logprobs-mode", broken=False)
    return logprobs
