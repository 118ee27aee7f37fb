"""One request to `/v1/completions`: one total deadline, a size cap, and its outcome by name."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from dataclasses import dataclass
from typing import Any

import httpx

from engines.traffic.spec import MAX_IN_FLIGHT, TrafficSpec
from engines.web.http import no_cookies
from store.errors import EngineUnreachable
from store.foreign_text import is_text, printable
from store.reports.fields import a_count

MAX_BYTES = 8 * 1024 * 1024
MAX_TOKENS = 2**31
"""More than any request has."""
_SET_UP_S = 10.0

AWAY = frozenset({"refused", "cut", "HTTP 503"})
"""Failures that mean the server is not there, after which it is left alone for a while."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended. `failure` is None where all that was asked for came."""

    failure: str | None
    finish_reason: str | None = None
    prompt_tokens: int = 0
    output_tokens: int = 0
    ttft_s: float | None = None


class Client:
    """Sends requests to one server, each over a connection of its own.

    A kept connection can be closed by either side in the moment it is used again, which would be
    told as a failure of the engine; and only a new one waits in the backlog while engines change.
    """

    def __init__(self, url: str, spec: TrafficSpec) -> None:
        self._url = url.rstrip("/")
        self._spec = spec
        self._model = spec.model or ""
        headers = {
            "user-agent": "trimtab-traffic",
            "accept-encoding": "identity",
            "connection": "close",
        }
        if spec.api_key:
            headers["authorization"] = f"Bearer {spec.api_key}"
        self._http = httpx.AsyncClient(
            headers=headers,
            cookies=no_cookies(),
            verify=ssl.create_default_context() if url.startswith("https:") else False,
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - one total deadline for each request is stricter
            limits=httpx.Limits(max_connections=MAX_IN_FLIGHT, max_keepalive_connections=0),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def find_model(self) -> int | None:
        """Choose the served model unless the spec names one; how many tokens it takes, if told.

        Raises `EngineUnreachable`.
        """
        content = await self._ask("GET", "/v1/models")
        try:
            room_by_model = {
                model["id"]: _tokens(model.get("max_model_len"))
                for model in content["data"]
                if is_text(model["id"])
            }
            self._model = self._model or next(iter(room_by_model))
        except (KeyError, TypeError, AttributeError, StopIteration):
            raise EngineUnreachable("the server tells no model") from None
        return room_by_model.get(self._model)

    async def count_tokens(self, text: str) -> int | None:
        """How many tokens the engine makes of a text; None where it does not say."""
        try:
            content = await self._ask("POST", "/tokenize", {"model": self._model, "prompt": text})
            return _tokens(content["count"])
        except (EngineUnreachable, KeyError, TypeError):
            return None

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        try:
            async with asyncio.timeout(_SET_UP_S):
                status, text = await self._exchange(method, path, body)
        except TimeoutError:
            raise EngineUnreachable("the server does not answer") from None
        except _FAILURES as error:
            raise EngineUnreachable(f"no traffic can be sent: {_failure(error)}") from None
        if status != httpx.codes.OK:
            raise EngineUnreachable(f"the server answers {path} with HTTP {status}")
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise EngineUnreachable("the server's answer is not JSON") from None

    async def complete(self, prompt: str, max_tokens: int) -> Answer:
        """Send one request and wait for its whole answer; raises nothing but cancellation."""
        body = {
            "model": self._model,
            "prompt": prompt,
            "max_tokens": max_tokens,
            "ignore_eos": self._spec.ignore_eos,
        }
        try:
            async with asyncio.timeout(self._spec.deadline_s):
                if self._spec.stream:
                    return await self._streamed(body)
                status, text = await self._exchange("POST", "/v1/completions", body)
        except TimeoutError:
            return Answer("deadline")
        except _FAILURES as error:
            return Answer(_failure(error))
        return self._judge(text, max_tokens) if status == httpx.codes.OK else _refusal(status)

    async def _exchange(self, method: str, path: str, body: object) -> tuple[int, bytes]:
        async with self._http.stream(method, self._url + path, json=body) as reply:
            chunks, size = [], 0
            async for chunk in reply.aiter_raw():
                size += len(chunk)
                if size > MAX_BYTES:
                    raise _TooLarge
                chunks.append(chunk)
            return reply.status_code, b"".join(chunks)

    async def _streamed(self, body: dict[str, Any]) -> Answer:
        """The same with server-sent events, one per token or a few."""
        began = time.monotonic()
        ttft_s: float | None = None
        last_line, usage_line = b"", b""
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        size = 0
        unfinished_line: list[bytes] = []
        async with self._http.stream("POST", self._url + "/v1/completions", json=body) as reply:
            if reply.status_code != httpx.codes.OK:
                return _refusal(reply.status_code)
            async for chunk in reply.aiter_raw():
                ttft_s = ttft_s if ttft_s is not None else time.monotonic() - began
                size += len(chunk)
                if size > MAX_BYTES:
                    raise _TooLarge
                if b"\n" not in chunk:
                    unfinished_line.append(chunk)
                    continue
                *lines, rest = b"".join((*unfinished_line, chunk)).split(b"\n")
                unfinished_line = [rest]
                for line in lines:
                    if b'"finish_reason":"' in line:
                        last_line = line
                    elif b'"usage":{' in line:
                        usage_line = line
        return self._join(last_line, usage_line, int(body["max_tokens"]), ttft_s)

    def _join(
        self, last_line: bytes, usage_line: bytes, max_tokens: int, ttft_s: float | None
    ) -> Answer:
        try:
            choices = json.loads(last_line.removeprefix(b"data: "))["choices"]
            counts = json.loads(usage_line.removeprefix(b"data: "))["usage"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return Answer("truncated")
        text = json.dumps({"choices": choices, "usage": counts}).encode()
        return self._judge(text, max_tokens, ttft_s)

    def _judge(self, text: bytes, max_tokens: int, ttft_s: float | None = None) -> Answer:
        try:
            content = json.loads(text)
            reason = printable(str(content["choices"][0]["finish_reason"]), 20)
            prompt = _tokens(content["usage"]["prompt_tokens"])
            output = _tokens(content["usage"]["completion_tokens"])
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            return Answer("not a completion")
        if prompt is None or output is None:
            return Answer("not a completion")
        is_truncated = reason not in ("stop", "length") or (
            self._spec.ignore_eos and output < max_tokens
        )
        return Answer("truncated" if is_truncated else None, reason, prompt, output, ttft_s)


def _tokens(value: object) -> int | None:
    """A number of tokens that a server tells; None where it cannot be one."""
    count = a_count(value)
    return count if count is not None and 0 <= count <= MAX_TOKENS else None


class _TooLarge(Exception):
    """An answer above the size cap."""


_FAILURES = (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError, _TooLarge)
"""What a server can make of a request."""


def _refusal(status: int) -> Answer:
    return Answer(f"HTTP {status}")


def _failure(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError):
        return "refused"
    if isinstance(error, _TooLarge):
        return "too large"
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return "not an http or https address"
    if isinstance(error, httpx.RemoteProtocolError) and not _ENDED.search(str(error)):
        return "not HTTP"
    return "cut"


_ENDED = re.compile(r"disconnected|peer closed")
"""How httpx words the end of a connection in the midst of an answer, which it takes for a fault of
the protocol as well."""
