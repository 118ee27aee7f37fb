"""Small schedulers shaped like vLLM's over its versions: attributes, tests and assertions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from engines.inside.trimtab_inside.live_knobs.board import Board
from engines.inside.trimtab_inside.live_knobs.desk import KnobDesk
from engines.inside.trimtab_inside.live_knobs.hooks import guard
from engines.inside.trimtab_inside.live_knobs.identity import identify
from engines.inside.trimtab_inside.live_knobs.offered_knobs import probe
from engines.inside.trimtab_inside.private_socket.server import Server


class Request:
    """A request that runs until it is told to end."""

    def __init__(self, name: str, **more: Any) -> None:
        self.request_id = name
        self.skip_reading_prefix_cache = False
        for field, value in more.items():
            setattr(self, field, value)


class OldManager:
    """Up to 0.10: nothing per request but prompt logprobs."""

    enable_caching = True

    def get_computed_blocks(self, request: Any) -> bool:
        return self.enable_caching


class Manager(OldManager):
    """From 0.12: a request can skip reading."""

    def get_computed_blocks(self, request: Any) -> bool:
        return self.enable_caching and not request.skip_reading_prefix_cache


def configs(**scheduler: Any) -> tuple[Any, Any]:
    """A scheduler config and a vLLM config with the defaults of a small engine."""
    config = SimpleNamespace(
        **{"long_prefill_token_threshold": 0, "enable_chunked_prefill": True, **scheduler}
    )
    vllm = SimpleNamespace(
        model_config=SimpleNamespace(is_multimodal_model=False),
        parallel_config=SimpleNamespace(data_parallel_rank=0),
    )
    return config, vllm


class Scheduler08:
    """0.8.5 to 0.22: one cap, compared with `==`, asserted after each step."""

    manager_class: type[OldManager] = OldManager

    def __init__(self, seqs: int = 8, tokens: int = 256, **scheduler: Any) -> None:
        self.scheduler_config, self.vllm_config = configs(**scheduler)
        self.max_num_running_reqs = seqs
        self.max_num_scheduled_tokens = tokens
        self.max_model_len = 2048
        self.kv_cache_manager = self.manager_class()
        self.connector: Any = None
        self.requests: dict[str, Any] = {}
        self.running: list[Any] = []
        self.waiting: list[Any] = []
        self.cache_reads: list[str] = []

    def add_request(self, request: Any) -> None:
        self.requests[request.request_id] = request
        self.waiting.append(request)

    def full(self) -> bool:
        return len(self.running) == self.max_num_running_reqs

    def schedule(self) -> list[str]:
        budget = self.max_num_scheduled_tokens - len(self.running)
        while self.waiting and budget > 0 and not self.full():
            request = self.waiting.pop(0)
            if self.kv_cache_manager.get_computed_blocks(request):
                self.cache_reads.append(request.request_id)
            budget -= max(1, self.scheduler_config.long_prefill_token_threshold)
            self.running.append(request)
        assert len(self.running) <= self.max_num_running_reqs
        return [request.request_id for request in self.running]

    def finish(self, count: int) -> None:
        for request in self.running[:count]:
            del self.requests[request.request_id]
        del self.running[:count]


class Scheduler25(Scheduler08):
    """0.25 to 0.30: `>=`, and reading the cache can be skipped."""

    manager_class = Manager

    def full(self) -> bool:
        return len(self.running) >= self.max_num_running_reqs


class Scheduler32(Scheduler25):
    """From 0.31: admission has a cap of its own; the step takes an argument."""

    def __init__(self, seqs: int = 8, tokens: int = 256, **scheduler: Any) -> None:
        super().__init__(seqs, tokens, **scheduler)
        self.max_num_active_reqs = seqs

    def full(self) -> bool:
        return len(self.running) >= self.max_num_active_reqs

    def schedule(self, throttle_prefills: bool = False) -> list[str]:
        return super().schedule()


def start_server(
    path: Path,
    scheduler: Any,
    label: str = "EngineCore",
    clock: Callable[[], float] = time.monotonic,
) -> Server:
    """A real server of the plugin over a stand-in scheduler, as `attach` makes it."""
    lock = threading.RLock()
    knobs = probe(scheduler)
    for method, attribute in (("schedule", "before_step"), ("add_request", "before_request")):
        methods = [getattr(knob, attribute) for knob in knobs]
        guard(scheduler, method, lock, [hook for hook in methods if hook is not None])
    identity = {**identify(scheduler), "engine": label}
    server = Server(path, KnobDesk(Board(knobs, lock, clock), identity))
    server.start()
    return server
