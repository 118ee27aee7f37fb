"""Ask an address what it is: vLLM and which version, something else, or nobody."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from store.foreign_text import printable

if TYPE_CHECKING:
    from engines.web.http import Fetcher

_METRIC_PREFIXES = (b"vllm:", b"ray_vllm")
_MODEL = re.compile(
    rb'^(?:ray_)?vllm[:_]\w+\{[^}]*\bmodel(?:_name)?="([^"\\]{1,200})"', re.MULTILINE
)
"""The label is `model_name`, on Triton's pages `model`."""


@dataclass(slots=True)
class Answer:
    """What an address said. `problem` tells why it is `silent`, or what it would not tell; one that
    is `unasked` may not be, as it is a stranger's. `wants_key`: it answers nobody without one."""

    url: str
    kind: Literal["vllm", "other", "silent", "unasked"] = "silent"
    version: str | None = None
    model: str | None = None
    problem: str = ""
    wants_key: bool = False


class Question(NamedTuple):
    """The addresses of one engine, whether its model is wanted, and the certificate that it shows
    over TLS, where its command line tells."""

    urls: Sequence[str]
    want_model: bool
    certificate: Path | None = None


async def ask(
    url: str,
    *,
    api_key: str | None,
    deadline_s: float,
    want_model: bool,
    certificate: Path | None = None,
) -> Answer:
    """Ask one address; never raises. `/v1/models` is read only where the model is wanted."""
    from engines.web.http import Fetcher  # httpx is slow to import, and many hosts have no engine

    answer = Answer(url)
    try:
        async with (
            asyncio.timeout(deadline_s),
            Fetcher(
                url, api_key=api_key, deadline_s=deadline_s, certificate=certificate
            ) as fetcher,
        ):
            await _identify(fetcher, answer)
            if want_model and answer.kind == "vllm" and answer.model is None:
                await _read_model(fetcher, answer)
    except TimeoutError:
        if answer.kind == "silent":
            answer.problem = f"no whole answer within {deadline_s:g} s"
    return answer


async def _identify(fetcher: Fetcher, answer: Answer) -> None:
    from engines.web.http import ReadFailed

    try:
        answer.version = _text_at(await fetcher.get("/version"), "version")
    except ReadFailed as failure:
        answer.problem = failure.what
        answer.wants_key = failure.status in (401, 403)
        if failure.status is None:
            return
    answer.kind = "vllm" if answer.version else "other"
    if answer.version is None:
        # A gateway may hide /version; the metric names are vLLM's own.
        try:
            page = await fetcher.get("/metrics")
        except ReadFailed:
            return
        if any(prefix in page for prefix in _METRIC_PREFIXES):
            answer.kind, answer.problem = "vllm", ""
            model = _MODEL.search(page)
            answer.model = None if model is None else printable(model[1].decode("utf-8", "replace"))


async def _read_model(fetcher: Fetcher, answer: Answer) -> None:
    from engines.web.http import ReadFailed

    try:
        answer.model = _text_at(await fetcher.get("/v1/models"), "data", 0, "id")
    except ReadFailed as failure:
        answer.problem = f"does not tell its model: {failure.what}"


def _text_at(body: bytes, *path: str | int) -> str | None:
    """A text inside a JSON document, made printable; None where it is not there."""
    try:
        value: Any = json.loads(body)
        for step in path:
            value = value[step]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return printable(value) if isinstance(value, str) and value else None


async def _first_vllm(question: Question, *, api_key: str | None, deadline_s: float) -> Answer:
    """The first of several addresses of one process that is vLLM, else what the first one said."""
    answers = await asyncio.gather(
        *(
            ask(
                url,
                api_key=api_key,
                deadline_s=deadline_s,
                want_model=question.want_model,
                certificate=question.certificate,
            )
            for url in question.urls
        )
    )
    return next((answer for answer in answers if answer.kind == "vllm"), answers[0])


def ask_all(
    questions: Sequence[Question],
    *,
    api_key: str | None = None,
    deadline_s: float,
) -> list[Answer]:
    """Ask many engines at once.

    For a thread without a running event loop. Takes `deadline_s` at most.
    """

    async def gather_answers() -> list[Answer]:
        return await asyncio.gather(
            *(
                _first_vllm(question, api_key=api_key, deadline_s=deadline_s)
                for question in questions
            )
        )

    return _run(gather_answers())


def _run(coroutine: Coroutine[Any, Any, list[Answer]]) -> list[Answer]:
    # Not asyncio.run: it would wait for a name server that hangs.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()
