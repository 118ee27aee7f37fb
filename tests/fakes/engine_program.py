"""A program that looks like vLLM from outside: its processes, titles, sockets and HTTP answers.

Only the standard library and the real plugin's socket server are used. What it does is told in the
environment variable FAKE_ENGINE, a JSON object; its argument list is that of `vllm serve`. Prints
`ready` when everything stands.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

# Before a /tmp of our own may hide where the plugin lies.
with contextlib.suppress(ImportError):
    from trimtab_inside.live_knobs.board import Board
    from trimtab_inside.live_knobs.desk import KnobDesk
    from trimtab_inside.live_knobs.offered_knobs import probe
    from trimtab_inside.private_socket.server import replace_server

SPEC = json.loads(os.environ.get("FAKE_ENGINE", "{}"))
ARG_START, ARG_END = 47, 48  # places in /proc/PID/stat, from 0


CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def enter_container() -> None:
    """A network or a /tmp of its own, as containers and systemd's PrivateTmp give; needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if SPEC.get("own_network"):
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        for command in SPEC.get("network_commands", []):
            subprocess.run(command.split(), check=True)
    if SPEC.get("own_tmp"):
        assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
        assert libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
        assert libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == 0


def set_title(title: str) -> None:
    """Overwrite the argument list and comm, as setproctitle does."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[ARG_START - 2]), int(fields[ARG_END - 2])
    text = title.encode()[: end - start - 1]
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, text, len(text))
    Path("/proc/self/comm").write_text(title)


class Scheduler:
    """What the plugin looks for in vLLM's: a prefix cache to skip and an admission cap."""

    def __init__(self) -> None:
        self.kv_cache_manager = self
        self.enable_caching = True
        self.max_num_running_reqs = self.max_num_active_reqs = 32
        self.requests: dict[str, SimpleNamespace] = {}

    def schedule(self, request: SimpleNamespace) -> bool:
        return request.skip_reading_prefix_cache or self.max_num_active_reqs > 0


def open_plugin() -> None:
    """The plugin's own server, over a scheduler that never steps."""
    identity = {
        "protocol": SPEC.get("protocol", 1),
        "plugin": "0.1.0",
        "pid": os.getpid(),
        "vllm_version": "0.32.0",
        "engine": "EngineCore",
        "dp_rank": 0,
        "scheduler": "Scheduler",
    }
    replace_server("", KnobDesk(Board(probe(Scheduler()), threading.RLock()), identity)).start()


def child(title: str | None, plugin: bool, grandchild: str | None) -> int:
    """A process with a title; returns its PID once it stands."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        return pid
    try:
        if title:
            set_title(title)
        if plugin:
            open_plugin()
        if grandchild:
            child(grandchild, plugin=False, grandchild=None)
    finally:
        os.write(writer, b"x")
    while True:
        signal.pause()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if "heard" in SPEC:
            with Path(SPEC["heard"]).open("a") as heard:
                heard.write(f"{self.path} {self.headers['authorization']}\n")
        if SPEC.get("hang"):
            time.sleep(60)
        path = self.path.removeprefix(SPEC.get("root_path", "") or "\0")
        key = SPEC.get("api_key")
        if path.startswith("/v1") and key and self.headers["authorization"] != f"Bearer {key}":
            return self._send(401, b"{}")
        replies = {
            "/version": {"version": SPEC.get("version", "0.32.0")},
            "/v1/models": {"data": [{"id": SPEC.get("model", "tiny")}]},
        }
        if path == "/metrics" and "metrics" in SPEC:
            return self._send(200, SPEC["metrics"].encode())
        if path not in replies or SPEC.get("not_vllm"):
            return self._send(404, b"no")
        return self._send(200, json.dumps(replies[path]).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # Its test holds the port; and without asking for the host's name.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)


def option(name: str, otherwise: str) -> str:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else otherwise


def main() -> None:
    enter_container()
    server = None
    if SPEC.get("listen", True):
        host = option("--host", "127.0.0.1")
        Server.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = Server((host, int(option("--port", "0"))), Handler)
    titled = SPEC.get("titled", True)
    plugins = SPEC.get("plugins", [False])
    for rank, plugin in enumerate(plugins):
        title = f"VLLM::EngineCore_DP{rank}" if len(plugins) > 1 else "VLLM::EngineCore"
        child(title if titled else None, plugin, "VLLM::Worker" if titled else None)
    for worker in SPEC.get("workers", []):
        child(worker, plugin=False, grandchild=None)
    if "connect_to" in SPEC:
        SPEC["connection"] = socket.create_connection(("127.0.0.1", SPEC["connect_to"]))
    for index in range(SPEC.get("api_servers", 0)):
        child(f"VLLM::APIServer_{index}", plugin=False, grandchild=None)
    print("ready", flush=True)
    if server is None:
        while True:
            signal.pause()
    server.serve_forever()


main()
