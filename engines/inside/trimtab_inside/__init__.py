"""Live knobs for vLLM, from inside its own process.

vLLM finds this package through its entry point (`vllm.general_plugins`) when the directory above
is on PYTHONPATH. Where a Scheduler is constructed, a private Unix socket is opened that reads and
sets knobs between two scheduler steps. In an API server that was given a listening socket, another
one opens and closes its front. Only vLLM and the standard library are imported here, and
the code runs on every Python that a supported vLLM runs on (3.9 and later).

Whatever goes wrong in here, the engine serves on as stock vLLM and says so once in its log.
"""

from __future__ import annotations

from .common.log import say_once


def install() -> None:
    """Entry point. vLLM may call it several times in a process, and dies of an exception in it."""
    try:
        from .api_front.watch import watch_front
        from .live_knobs.hooks import watch

        watch()
        watch_front()
    except Exception as error:
        say_once("cannot load", error)
