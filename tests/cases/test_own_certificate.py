"""An engine of this machine with a certificate that nobody else knows."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from engines.web.http import Fetcher, ReadFailed

CERTIFICATE = Path(__file__).parents[1] / "fixtures" / "certificate" / "cert.pem"
"""For another name than the address by which it is met; good for a hundred years."""


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_name("key.pem"))
    server = HTTPServer(("127.0.0.1", 0), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_file_of_its_command_line_is_trusted(url: str) -> None:
    async with Fetcher(url, certificate=CERTIFICATE) as fetcher:
        assert await fetcher.get("/metrics") == b"ok"


async def test_of_others_the_way_is_told(url: str, tmp_path: Path) -> None:
    for unknown in (None, tmp_path / "none.pem"):
        async with Fetcher(url, certificate=unknown) as fetcher:
            with pytest.raises(ReadFailed, match="SSL_CERT_FILE"):
                await fetcher.get("/metrics")
