"""A server of `/v1/completions` on a real socket, whose model has one token for each byte."""

import contextlib
import http.server
import json
import math
import random
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S

VOCABULARY = 256


@dataclass
class ByteModel:
    """Draws each next-byte distribution from the byte before it, `noise` moving every logit.

    `edit` may change a reply or give another status: it gets the question and the reply.
    """

    name: str = "bytes"
    noise: float = 0.0
    offset: int = 0
    """Added to every token id, as of another tokenizer."""

    completion: str = ""
    edit: Callable[[dict[str, Any], dict[str, Any]], tuple[int, dict[str, Any]]] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    def logprobs(self, byte: int) -> list[float]:
        drawn, moved = random.Random(byte), random.Random(f"{self.name}{byte}")
        logits = [drawn.gauss(0, 3) + self.noise * moved.gauss(0, 1) for _ in range(VOCABULARY)]
        total = math.log(sum(math.exp(value) for value in logits))
        return [value - total for value in logits]

    def reply(self, body: dict[str, Any]) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "text": self.completion, "prompt_logprobs": None}
        if "prompt_logprobs" in body:
            data = body["prompt"].encode()
            choice["prompt_logprobs"] = [None] + [
                self._position(before, byte, body["prompt_logprobs"])
                for before, byte in pairwise(data)
            ]
            choice["prompt_token_ids"] = [byte + self.offset for byte in data]
        return {"choices": [choice]}

    def _position(self, before: int, byte: int, top: int) -> dict[str, Any]:
        values = self.logprobs(before)
        most = sorted(range(VOCABULARY), key=lambda token: -values[token])[:top]
        return {
            str(token + self.offset): {"logprob": values[token], "decoded_token": "?"}
            for token in dict.fromkeys([byte, *most])
        }


class _Unix(socketserver.ThreadingUnixStreamServer):
    def get_request(self) -> Any:
        channel, _ = super().get_request()
        return channel, ("unix", 0)


@contextlib.contextmanager
def completions(model: ByteModel, unix_socket: Path | None = None) -> Iterator[str]:
    """Serve the model on a free port, or on a Unix socket; gives the base URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.asked.append({"path": self.path} | body)
            model.headers.append(str(self.headers))
            status, reply = 200, model.reply(body)
            if model.edit is not None:
                status, reply = model.edit(body, reply)
            data = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server: socketserver.BaseServer
    if unix_socket is not None:
        server = _Unix(str(unix_socket), Handler)
        url = "http://localhost"
    else:
        tcp = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server, url = tcp, f"http://127.0.0.1:{tcp.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE_S)
