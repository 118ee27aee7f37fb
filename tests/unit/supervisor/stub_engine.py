"""A small program in the place of vLLM that takes the address, under a real supervisor."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path

from engines.launch.launch import Launch, LaunchSpec
from engines.launch.prepare import prepare
from engines.provision.places import supervisor_log
from engines.serving.started import Started
from engines.supervisor import start
from engines.supervisor_client import client
from tests.supervisors import answering
from tests.waiting import PATIENCE_S

PROGRAM = """
import json, os, signal, socket, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
told = json.loads(os.environ.get("STUB", "{}"))
print("ValueError: the model is not there") if told.get("broken") else None
sys.exit(2) if told.get("broken") else None
listener = socket.socket(fileno=int(os.environ["TRIMTAB_LISTEN_FD"]))
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        body = str(os.getpid()).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = listener
told.get("silent") or print("INFO:     Application startup complete.", flush=True)
server.serve_forever()
"""


def begin(stub: Path, name: str, *arguments: str, **told: object) -> Started:
    environ = os.environ | {"STUB": json.dumps(told), "SECRET_KEY": "sk-very-secret"}
    model = str(stub.parents[2] / "model")
    os.environ["STUB"] = environ["STUB"]
    return start.start_supervised(
        LaunchSpec(model, name, arguments, python=stub, environ=environ, db=ledger_of(stub))
    )


def ledger_of(stub: Path) -> Path:
    return stub.parents[2] / "l.db"


def follows(name: str, supervisor: int) -> bool:
    """Whether another supervisor than this one answers."""
    found = client.status(name)
    return found is not None and found.supervisor != supervisor


def answer(started: Started) -> int:
    with urllib.request.urlopen(started.url, timeout=PATIENCE_S) as reply:
        return int(reply.read())


def said(name: str) -> str:
    return supervisor_log(name).read_text()


def keeper_of(name: str) -> int:
    return int(
        Path(f"/proc/{answering(name).supervisor}/stat").read_text().split(")")[1].split()[1]
    )


def prepare_nothing(stub: Path) -> Launch:
    spec = LaunchSpec(str(stub.parents[2] / "model"), name="sup-none", python=stub)
    with prepare(spec) as (launch, _):
        return launch
