"""A small program in the place of vLLM, started as `trimtab serve` starts one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from engines.launch.launch import LaunchSpec
from engines.launch.prepare import prepare
from engines.launch.spawn import spawn
from engines.serving.started import Started

PROGRAM = """
import json, os, signal, socket, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
told = json.loads(os.environ.get("STUB", "{}"))
arguments = sys.argv[1:]
if told.get("deaf"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"argv": arguments, "env": dict(os.environ)}), flush=True)
for line in told.get("lines", ()):
    print(line, flush=True)
if "exit" in told:
    sys.exit(told["exit"])
if told.get("stubborn"):
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    child += "print('deaf', flush=True); time.sleep(600)"
    deaf = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE)
    deaf.stdout.readline()
if told.get("deaf"):
    time.sleep(600)
slow = told.get("slow", [])
requests = told.get("running", [0])
page = open(os.environ["PAGE"], "rb").read()
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/metrics":
            time.sleep(slow.pop(0) if slow else 0)
            count = requests.pop(0) if len(requests) > 1 else requests[0]
            gauge = b'\\nvllm:num_requests_running{engine="0",model_name="tiny"} '
            body = page.replace(gauge + b"0.0", gauge + b"%d.0" % count)
        else:
            body = b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=int(os.environ["TRIMTAB_LISTEN_FD"]))
print("INFO:     Application startup complete.", flush=True)
server.serve_forever()
"""

PAGE = str(Path(__file__).parents[1] / "fixtures" / "metrics" / "vllm-0.32.0.txt")

LINES = (
    "(APIServer pid=1) INFO 11-22 16:15:08 [model.py:733] Resolved architecture: LlamaForCausalLM",
    "(EngineCore pid=2) INFO 11-22 16:15:12 [core.py:133] Initializing a V1 LLM engine (v0.32.0)",
    "(Worker pid=3) INFO 11-22 16:15:19 [default_loader.py:501] Loading weights took 0.02 seconds",
)


def launch(stub: Path, *arguments: str, **told: object) -> Started:
    environ = {**os.environ, "STUB": json.dumps({"lines": LINES, **told}), "PAGE": PAGE}
    spec = LaunchSpec(str(stub.parent.parent / "model"), None, arguments, stub, environ)
    with prepare(spec) as (ready, listener):
        return spawn(ready, listener)


def first_line(started: Started) -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, str]] = json.loads(started.log_path.read_text().splitlines()[0])
    return content
