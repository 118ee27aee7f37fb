"""What the plugin looks for in vLLM's: a prefix cache to skip and an admission cap."""

from __future__ import annotations

from types import SimpleNamespace


class Scheduler:
    def __init__(self, max_num_seqs: int) -> None:
        self.kv_cache_manager = self
        self.enable_caching = True
        self.max_num_running_reqs = self.max_num_active_reqs = max_num_seqs
        self.requests: dict[str, SimpleNamespace] = {}

    def schedule(self, request: SimpleNamespace) -> bool:
        return request.skip_reading_prefix_cache or self.max_num_active_reqs > 0

    def add_request(self, request: SimpleNamespace) -> None:
        self.requests[request.id] = request
