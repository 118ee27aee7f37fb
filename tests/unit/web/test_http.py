"""Reads over HTTP against real sockets that misbehave."""

import gzip
import time
from collections.abc import Iterator

import pytest

from engines.web.http import Fetcher, ReadFailed, get, shown
from tests.addresses import nobody
from tests.servers import Answer, Server, drips, hangs, reply, says, says_and_closes, serving
from tests.waiting import PATIENCE_S

BODY = b"x 1\n" * 1000


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(says(reply(BODY))) as running:
        yield running


async def test_reads_again_over_one_connection(server: Server) -> None:
    async with Fetcher(server.url) as fetcher:
        for _ in range(3):
            assert await fetcher.get("/metrics") == BODY
    assert len(server.requests) == 3
    assert server.requests[0].startswith(b"GET /metrics HTTP/1.1\r\n")


def test_reads_without_a_loop(server: Server) -> None:
    assert get(f"{server.url}/metrics") == BODY


async def test_a_path_in_the_base_is_kept(server: Server) -> None:
    async with Fetcher(f"{server.url}/prefix/") as fetcher:
        await fetcher.get("/metrics")
    assert server.requests[0].startswith(b"GET /prefix/metrics HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(reply(b"", status="500 Internal Server Error")), "HTTP 500"),
        (says(reply(b"", status="401 Unauthorized")), "API key"),
        (says(reply(b"", "Location: /other", status="302 Found")), "redirects"),
        (says(reply(BODY, length=10**9)), "larger than"),
        (drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x 1\n" * 50_000, 0), "larger than"),
        (drips(reply(b"", length=10**6), b"x"), "no whole answer within"),
        (drips(b"HTTP/1.1 200 OK\r\nX: ", b"y"), "no whole answer within"),
        (drips(b"", b"H"), "no whole answer within"),
        (drips(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 60_000 + b"\r\n", 0), "not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n"), "not HTTP"),
        (hangs, "no whole answer within"),
        (says_and_closes(b""), "not whole"),
        (says_and_closes(reply(BODY, length=len(BODY) + 1)), "not whole"),
        (says_and_closes(b"SSH-2.0-OpenSSH_9.6\r\n"), "not HTTP"),
        (says(reply(gzip.compress(BODY), "Content-Encoding: gzip")), "compressed"),
    ],
)
async def test_a_hostile_server_is_a_short_reason(answer: Answer, reason: str) -> None:
    began = time.monotonic()
    # Only who is to run into the deadline gets a short one: the others may be slow.
    deadline_s = 0.5 if reason.startswith("no whole answer") else PATIENCE_S
    with serving(answer) as server:
        async with Fetcher(server.url, deadline_s=deadline_s) as fetcher:
            with pytest.raises(ReadFailed) as caught:
                await fetcher.get("/metrics")
    assert reason in caught.value.what
    assert len(caught.value.what) < 80
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("answer", [hangs, drips(b"HTTP/1.1 200 OK\r\nX: ", b"y")])
def test_without_a_loop_the_deadline_is_total_too(answer: Answer) -> None:
    began = time.monotonic()
    with serving(answer) as server, pytest.raises(ReadFailed, match="no whole answer within"):
        get(server.url, deadline_s=0.3)
    assert time.monotonic() - began < 3


async def test_a_host_that_cannot_be_a_name() -> None:
    async with Fetcher("http://xn--a:80") as fetcher:
        with pytest.raises(ReadFailed, match="name of the host"):
            await fetcher.get()


async def test_nobody_there() -> None:
    with nobody() as url:
        async with Fetcher(url) as fetcher:
            with pytest.raises(ReadFailed, match="connection refused"):
                await fetcher.get()


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "http://", "nonsense", "http://[::1", "http://a:b/"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ReadFailed):
        get(url, deadline_s=0.5)


def test_a_host_that_is_not_known() -> None:
    with pytest.raises(ReadFailed, match=r"not known|no whole answer"):
        get("http://no-such-host.invalid/", deadline_s=1)


def test_the_key_is_a_bearer_token_and_never_told(server: Server) -> None:
    get(server.url, api_key="sk-secret")
    assert b"authorization: bearer sk-secret" in server.requests[0].lower()
    server.now(says(reply(b"", status="403 Forbidden")))
    with pytest.raises(ReadFailed) as caught:
        get(server.url, api_key="sk-secret")
    assert caught.value.status == 403
    assert "sk-secret" not in str(caught.value)


def test_a_redirect_does_not_carry_the_key(server: Server) -> None:
    moved = says(reply(b"", f"Location: {server.url}/x", status="307 Moved"))
    with serving(moved) as first, pytest.raises(ReadFailed, match="307"):
        get(first.url, api_key="sk-secret")
    assert server.requests == []


def test_no_compression_is_asked_for_and_no_proxy_used(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nobody() as url:
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.setenv("ALL_PROXY", url)
        assert get(server.url) == BODY
    assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("http://user:pass@host:8000/v1?token=x#y", "http://host:8000/v1"),
        ("http://host:8000", "http://host:8000"),
        ("host:8000/a", "host:8000/a"),
        ("http://a@b@host/\x1b[31m", "http://host/\N{REPLACEMENT CHARACTER}[31m"),
    ],
)
def test_a_url_as_shown(url: str, safe: str) -> None:
    assert shown(url) == safe
