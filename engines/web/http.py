"""HTTP reads that cannot hang, flood or mislead: one total deadline and a size cap for each.

    Fetcher     keeps a connection to one server; `await fetcher.get("/metrics")`
    get(url)    one read, for code without an event loop; `post(url, body)` asks with JSON

The deadline covers everything from resolving the name to the last byte. One redirect is followed,
and only to the same scheme, host and port, so an API key goes to the given server only; proxies of
the environment are not used, as they would misroute local traffic. A compressed answer is refused,
not unpacked.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Coroutine, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from store.errors import EngineUnreachable
from store.foreign_text import printable

MAX_BYTES = 4 * 1024 * 1024
DEADLINE_S = 2.0


class ReadFailed(EngineUnreachable):
    """A read over HTTP did not give a whole answer with status 200.

    `what` is a short reason without secrets; `status` the HTTP status where there was one.
    """

    def __init__(self, what: str, *, status: int | None = None) -> None:
        super().__init__(what)
        self.status = status


class TooSlow(ReadFailed):
    """The server took the connection and gave no whole answer within the deadline."""


def _trust(certificate: Path | None) -> ssl.SSLContext:
    """What is trusted over TLS; a file that cannot be read leaves it at what the system trusts."""
    context = ssl.create_default_context()
    if certificate is None:
        return context
    try:
        own = ssl.create_default_context(cafile=str(certificate))
    except (OSError, ssl.SSLError):
        return context
    own.check_hostname = False
    return own


def no_cookies() -> CookieJar:
    """A jar that takes none: a server may send any number, and would get them all back."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


class Fetcher:
    """Reads from one server over a connection that is kept open. Belongs to one event loop.

    `base_url` may have a path, which every read starts with. `api_key` is sent as a bearer token.
    With `unix_socket` the server is reached there, and `base_url` only names it. With `certificate`
    that one is trusted and no other, whatever name it is for: an engine of this machine, met over
    its loopback, shows the very file that its command line names.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        deadline_s: float = DEADLINE_S,
        max_bytes: int = MAX_BYTES,
        unix_socket: Path | None = None,
        certificate: Path | None = None,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._deadline_s = deadline_s
        self._max_bytes = max_bytes
        headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "trimtab"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            cookies=no_cookies(),
            transport=httpx.AsyncHTTPTransport(
                # Certificates take 20 ms to load, so only where they are needed.
                verify=_trust(certificate) if base_url.startswith("https:") else False,
                trust_env=False,
                limits=httpx.Limits(max_connections=1, keepalive_expiry=60),
                uds=None if unix_socket is None else str(unix_socket),
            ),
            follow_redirects=False,
            trust_env=False,
            timeout=None,  # noqa: S113 - the total deadline of every read is stricter
        )

    async def get(self, path: str = "", *, deadline_s: float | None = None) -> bytes:
        """The body of `base_url + path`, within `deadline_s` where another than the usual one is
        given; raises `ReadFailed`."""
        return await self._within_deadline("GET", path, deadline_s=deadline_s)

    async def post(self, path: str, body: object) -> bytes:
        """The answer of `base_url + path` to `body` as JSON; raises `ReadFailed`."""
        return await self._within_deadline("POST", path, body)

    async def _within_deadline(
        self, method: str, path: str, body: object = None, deadline_s: float | None = None
    ) -> bytes:
        seconds = self._deadline_s if deadline_s is None else deadline_s
        try:
            async with asyncio.timeout(seconds):
                return await self._read(method, self._base + path, body)
        except TimeoutError:
            raise TooSlow(f"no whole answer within {seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ssl.SSLError, OSError) as error:
            raise ReadFailed(_reason(error)) from None

    async def _read(self, method: str, url: str, body: object, *, follows: bool = True) -> bytes:
        async with self._client.stream(method, url, json=body) as reply:
            place = _elsewhere(url, reply) if follows and method == "GET" else None
            if place is not None:
                await reply.aclose()
                return await self._read(method, place, body, follows=False)
            if reply.status_code != httpx.codes.OK:
                raise ReadFailed(_bad_status(reply.status_code), status=reply.status_code)
            if reply.headers.get("content-encoding", "identity").lower() != "identity":
                raise ReadFailed("the answer is compressed, which was not asked for")
            too_large = ReadFailed(f"the answer is larger than {self._max_bytes} bytes")
            declared = reply.headers.get("content-length", "")
            if declared.isascii() and declared.isdigit() and int(declared) > self._max_bytes:
                raise too_large
            chunks, size = [], 0
            async for chunk in reply.aiter_raw():
                size += len(chunk)
                if size > self._max_bytes:
                    raise too_large
                chunks.append(chunk)
            return b"".join(chunks)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def get(
    url: str,
    *,
    api_key: str | None = None,
    deadline_s: float = DEADLINE_S,
    max_bytes: int = MAX_BYTES,
    unix_socket: Path | None = None,
) -> bytes:
    """One read of `url` under the same rules, from a thread without a running event loop.

    It has a loop of its own because a blocking read has a deadline only per packet, and because
    closing that loop does not wait for a name server that hangs. Raises `ReadFailed`.
    """

    async def read() -> bytes:
        async with Fetcher(
            url,
            api_key=api_key,
            deadline_s=deadline_s,
            max_bytes=max_bytes,
            unix_socket=unix_socket,
        ) as fetcher:
            return await fetcher.get()

    return _run(read())


def post(
    url: str,
    body: object,
    *,
    api_key: str | None = None,
    deadline_s: float = DEADLINE_S,
    max_bytes: int = MAX_BYTES,
    unix_socket: Path | None = None,
) -> bytes:
    """The answer of `url` to `body` as JSON, asked as `get` asks. Raises `ReadFailed`."""

    async def ask() -> bytes:
        async with Fetcher(
            url,
            api_key=api_key,
            deadline_s=deadline_s,
            max_bytes=max_bytes,
            unix_socket=unix_socket,
        ) as fetcher:
            return await fetcher.post("", body)

    return _run(ask())


def _run(reading: Coroutine[None, None, bytes]) -> bytes:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(reading)
    finally:
        loop.close()


def shown(url: str) -> str:
    """A URL fit to be shown: without user, password, query and control characters."""
    scheme, separator, remainder = url.partition("://")
    if not separator:
        scheme, remainder = "", url
    authority, slash, path = remainder.partition("/")
    path = path.partition("?")[0].partition("#")[0]
    return printable(f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}")


def _elsewhere(url: str, reply: httpx.Response) -> str | None:
    """Where a reply sends on to, if that is the same server: a key must go nowhere else."""
    location = reply.headers.get("location")
    if location is None or not reply.is_redirect:
        return None
    try:
        here, there = httpx.URL(url), httpx.URL(url).join(location)
    except httpx.InvalidURL:
        return None
    same = (here.scheme, here.host, _port(here)) == (there.scheme, there.host, _port(there))
    return str(there) if same else None


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _bad_status(status: int) -> str:
    if 300 <= status < 400:
        return (
            f"HTTP {status}: it redirects to another server or without end, which is not followed"
        )
    if status in (401, 403):
        return f"HTTP {status}: it asks for an API key"
    return f"HTTP {status}"


def _reason(error: Exception) -> str:
    """The cause in a few words. What a server sent is not repeated."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "the name of the host is not known"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted here: SSL_CERT_FILE can name the file of another"
        if isinstance(cause, ssl.SSLError):
            return "TLS failed"
        if isinstance(cause, OSError) and cause.errno:
            return _ERRNO.get(cause.errno, "") or f"network error {errno.errorcode[cause.errno]}"
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return "not an http or https address"
    if isinstance(error, UnicodeError):  # of the encoding that internationalised names have
        return "the name of the host is not one"
    if isinstance(error, httpx.ConnectError):
        return "nobody answers there"
    return "the answer is not whole, or not HTTP"


_ERRNO = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "the connection was cut",
    errno.EPIPE: "the connection was cut",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the host",
}


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen_ids: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:
        cause = pending.pop()
        if id(cause) in seen_ids:
            continue
        seen_ids.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            pending.extend(cause.exceptions)
        pending.extend(link for link in (cause.__cause__, cause.__context__) if link is not None)
