"""What a server may answer in the place of metrics, and what trimtab then says of it."""

from tests.servers import REAL_PAGE, Answer, drips, hangs, reply, says

HOSTILE: dict[str, tuple[Answer, str]] = {
    "html": (says(reply(b"<html><body>hello</body></html>\n")), "not a page of metrics"),
    "json": (says(reply(b'{"status": "ok"}')), "not a page of metrics"),
    "binary": (says(reply(bytes(range(256)) * 9)), "not text"),
    "other metrics": (says(reply(b"go_goroutines 12\n")), "without vLLM's"),
    "empty": (says(reply(b"")), "empty"),
    "cut in a line": (says(reply(REAL_PAGE[:30_000])), "breaks off"),
    "cut between lines": (
        says(reply(REAL_PAGE[: REAL_PAGE.index(b"\n", 30_000) + 1])),
        "not whole",
    ),
    "shorter than announced": (says(reply(REAL_PAGE, length=99_999)), "no whole answer"),
    "endless": (drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x 1\n" * 9_000, 0), "larger than"),
    "drip": (drips(reply(b"", length=10_000), b"x"), "no whole answer"),
    "silent": (hangs, "no whole answer"),
    "redirect": (says(reply(b"", "Location: /login", status="302 Found")), "HTTP 302"),
    "500": (says(reply(b"", status="500 Oh No")), "HTTP 500"),
    "huge header": (says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n"), "not HTTP"),
}
