"""A program in the place of vLLM: serves HTTP on `--port`, or on an address that it is given.

Each answer takes a while, that to /silent for ever, and a signal ends it at once, so whoever ends
it too early cuts requests. It counts them on a metrics page, which is the file `page` of STUB but
for that. With `broken` in STUB it ends where it was given an address, as an engine that does not
start with the plugin.
"""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOLD = json.loads(os.environ.get("STUB", "{}"))
GIVEN = os.environ.get("TRIMTAB_LISTEN_FD")
ANSWER_S = 0.1
NEVER_S = 3600
GAUGE = re.compile(r"^(vllm:num_requests_running\{.*\} ).*$", re.MULTILINE)
running = [0]
counting = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/metrics":
            found = GAUGE.sub(rf"\g<1>{running[0]}", Path(TOLD["page"]).read_text())
            return self.answer(found.encode())
        if self.path == "/health":
            return self.answer(b"")
        with counting:
            running[0] += 1
        time.sleep(NEVER_S if self.path == "/silent" else ANSWER_S)
        with counting:
            running[0] -= 1
        told = {
            "pid": os.getpid(),
            "cwd": str(Path.cwd()),
            "odd": os.environb.get(b"ODD", b"").hex(),
        }
        return self.answer(json.dumps(told).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if GIVEN and TOLD.get("broken"):
    print("RuntimeError: the plugin broke it", flush=True)
    sys.exit(1)
time.sleep(TOLD.get("load_s", 0) if GIVEN else 0)
port = int(sys.argv[sys.argv.index("--port") + 1])
if GIVEN:
    server = Server(("127.0.0.1", port), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=int(GIVEN))
    server.server_name, server.server_port = "127.0.0.1", port
else:
    server = Server(("127.0.0.1", port), Handler)
print("INFO:     Application startup complete.", flush=True)
server.serve_forever()
