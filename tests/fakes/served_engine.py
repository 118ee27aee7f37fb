"""A program in the place of `vllm serve`: a real uvicorn with the plugin's real front and sockets.

It loads the plugin where PYTHONPATH has it, as vLLM does by its entry point, and finds the `vllm`
of `vllm_package`. Its metrics page is the file PAGE but for the requests that run. Completions take
a moment, so whoever ends it too early cuts them, and their log probabilities are always the same.
"""

import asyncio
import contextlib
import json
import math
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):
    import trimtab_inside

    trimtab_inside.install()

import uvicorn
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.entrypoints.launchers.launcher import create_server_socket
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.core.sched.scheduler import Scheduler

PIECES, PIECE_S = 4, 0.03
VOCABULARY, TOP = 256, 20
BEGAN_S = time.time()
GAUGE = re.compile(r"^(vllm:num_requests_running\{.*\} ).*$", re.MULTILINE)
STARTED = re.compile(r"^(process_start_time_seconds ).*$", re.MULTILINE)
PAGE = Path(os.environ["PAGE"]).read_text()
running = [0]


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    path = scope["path"]
    if path == "/v1/completions":
        body = json.loads(await _body(receive))
        running[0] += 1
        try:
            await _complete(body, send)
        finally:
            running[0] -= 1
    elif path == "/metrics":
        page = STARTED.sub(rf"\g<1>{BEGAN_S}", GAUGE.sub(rf"\g<1>{running[0]}", PAGE))
        await _answer(send, page.encode())
    else:
        replies: dict[str, object] = {
            "/health": {},
            "/version": {"version": "0.32.0"},
            "/v1/models": {"data": [{"id": options.model_tag}]},
        }
        await _answer(send, json.dumps(replies.get(path)).encode(), path in replies)


async def _body(receive: Any) -> bytes:
    whole, more = b"", True
    while more:
        message = await receive()
        whole, more = whole + message["body"], message["more_body"]
    return whole


async def _answer(send: Any, body: bytes, found: bool = True) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    status = 200 if found else 404
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _complete(body: dict[str, Any], send: Any) -> None:
    if "prompt_logprobs" in body:
        choice = {"text": "", **_logprobs(body["prompt"].encode())}
        await _answer(send, json.dumps({"choices": [choice]}).encode())
    elif not body.get("stream"):
        await asyncio.sleep(PIECES * PIECE_S)
        await _answer(send, json.dumps({"choices": [{"text": "x" * PIECES}]}).encode())
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(PIECES):
            await asyncio.sleep(PIECE_S)
            piece = f"data: {json.dumps({'choices': [{'text': 'x'}]})}\n\n".encode()
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


def _logprobs(prompt: bytes) -> dict[str, Any]:
    """The prompt's own byte is as likely as all others together, of which some are told."""
    others = math.log(0.5 / (VOCABULARY - 1))
    positions: list[Any] = [None]
    for byte in prompt[1:]:
        told = {(byte + n) % VOCABULARY: others for n in range(1, TOP)}
        told = {byte: math.log(0.5), **told}
        positions.append({str(token): {"logprob": value} for token, value in told.items()})
    return {"prompt_logprobs": positions, "prompt_token_ids": list(prompt)}


parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
options = parser.parse_args(sys.argv[2:])
scheduler = Scheduler(options.max_num_seqs)
# As vLLM: whatever still runs at SIGTERM is cut.
config = uvicorn.Config(app, log_level="info", access_log=False, timeout_graceful_shutdown=0)
uvicorn.Server(config).run(sockets=[create_server_socket((options.host, options.port))])
