"""The plugin's server over a stand-in scheduler: python -m tests.fuzz.targets.plugin DIRECTORY"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from engines.inside.trimtab_inside.private_socket.server import Server
from tests.fuzz.targets.telling import tell_until_asked_to_end
from tests.unit.inside.inside_standins import Request, Scheduler32, start_server

SEQS, TOKENS = 32, 256


def main() -> None:
    """Serve and tell."""
    scheduler = Scheduler32(SEQS, TOKENS)
    server = start_server(Path(sys.argv[1]) / "1.sock", scheduler)
    tell_until_asked_to_end(server.path, lambda: _state(scheduler, server))
    server.stop()


def _state(scheduler: Scheduler32, server: Server) -> dict[str, Any]:
    """What the knobs really are, whether one will fall back by itself, how a step went."""
    board: Any = server._desk
    standings = board._board._standing.values()
    caching = next(knob for knob in board._board._knobs.values() if isinstance(knob.start, bool))
    return {
        "values": {
            "enable_prefix_caching": caching.read(),
            "max_num_seqs": scheduler.max_num_active_reqs,
            "max_num_batched_tokens": scheduler.max_num_scheduled_tokens,
            "long_prefill_token_threshold": scheduler.scheduler_config.long_prefill_token_threshold,
        },
        "calm": all(one.lease is None and one.held is None for one in standings),
        "fault": _step(scheduler),
    }


def _step(scheduler: Scheduler32) -> str:
    """A step of the engine with two requests more; '' if it went well."""
    try:
        for name in "ab":
            scheduler.add_request(Request(name))
        scheduler.schedule(False)
        scheduler.finish(len(scheduler.running))
        scheduler.waiting.clear()
        scheduler.requests.clear()
    except Exception as error:
        return repr(error)
    return ""


if __name__ == "__main__":
    main()
