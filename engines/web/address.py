"""Addresses of engines: as people type them, as sockets tell them, and whether they are ours."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

from store.errors import BadInput

DEFAULT_PORTS = {"http": 80, "https": 443}
_EXAMPLE = "Give an address such as http://127.0.0.1:8000"
_NOT_IN_ADDRESS = re.compile(r"""[\s\\<>"'{}|^`\x00-\x20\x7f-\x9f]""")
_ENDPOINTS = ("/metrics", "/v1", "/v1/models", "/health", "/version")


def normalise(url: str) -> str:
    """The base URL of an engine: `scheme://host[:port][/root/path]`, without a final slash.

    The scheme may be left out, the host of a bare port too, and an address copied with `/v1` or
    `/metrics` at its end is understood. Raises `BadInput`.
    """
    text = url.strip()
    if text.removeprefix(":").isascii() and text.removeprefix(":").isdigit():
        text = f"127.0.0.1:{text.removeprefix(':')}"
    if "://" not in text:
        text = f"http://{text}"
    if not text.isprintable() or _NOT_IN_ADDRESS.search(text):
        raise _refused(url, "is not an address")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _refused(url, "is not an address") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise _refused(url, "is not an http or https address")
    if not host or port == 0:
        raise _refused(url, "is not an address")
    if "@" in parts.netloc:
        raise _refused(
            url,
            "was given with a user or password in it",
            "trimtab keeps addresses, so they may not hold a secret",
            "Give the address alone, and a key by --api-key or TRIMTAB_API_KEY",
        )
    if parts.query or parts.fragment:
        raise _refused(url, "was given with more than an address")
    if host == "localhost" and parts.scheme == "http":
        host = "127.0.0.1"  # one engine has one address in the ledger; a certificate may say more
    path = parts.path.rstrip("/")
    for endpoint in sorted(_ENDPOINTS, key=len, reverse=True):
        path = path.removesuffix(endpoint)
    return make_url(parts.scheme, host, port) + path.rstrip("/")


def _refused(url: str, problem: str, meaning: str = "", remedy: str = _EXAMPLE) -> BadInput:
    from engines.web.http import (
        shown,  # httpx is slow to import, and good addresses need none of it
    )

    return BadInput(f"'{shown(url)}' {problem}", meaning, remedy)


def make_url(scheme: str, host: str, port: int | None) -> str:
    """`scheme://host:port`, with the brackets that an IPv6 address needs."""
    authority = f"[{host}]" if ":" in host else host
    return f"{scheme}://{authority}" + (f":{port}" if port is not None else "")


def host_and_port(url: str) -> tuple[str, int]:
    """Host and port of a normalised URL, the port of its scheme where none is written."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)


def own_addresses(host: str) -> set[str]:
    """The addresses that `host` stands for, as far as they are this machine's own."""
    try:
        resolved = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {
        str(sockaddr[0]) for family, _, _, _, sockaddr in resolved if _is_ours(family, sockaddr)
    }


def _is_ours(family: socket.AddressFamily, sockaddr: tuple[object, ...]) -> bool:
    """A socket can only be bound to an address of this machine; nothing listens on it."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((sockaddr[0], 0, *sockaddr[2:]))
    except OSError:
        return False
    return True
