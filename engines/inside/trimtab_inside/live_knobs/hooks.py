"""Where the plugin meets vLLM: a Scheduler's construction, its `schedule` and `add_request`."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from ..common.imports import when_imported
from ..common.log import say, say_once

SCHEDULER_MODULE = "vllm.v1.core.sched.scheduler"


def watch() -> None:
    """Patch the base class Scheduler, now or when its module is imported."""
    when_imported(SCHEDULER_MODULE, patch)


def patch(module: ModuleType) -> None:
    """Make every Scheduler of this module call `attach` once it is constructed. Safe to repeat."""
    scheduler_class: Any = module.Scheduler  # type: ignore[attr-defined, unused-ignore]
    construct = scheduler_class.__init__
    if getattr(construct, "trimtab", False):
        return

    @functools.wraps(construct)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **kwargs)
        try:
            attach(self)
        except Exception as error:
            say_once("offers no live knobs", error)

    __init__.trimtab = True  # type: ignore[attr-defined]
    scheduler_class.__init__ = __init__


def attach(scheduler: Any) -> None:
    """Open this process's socket and let it set the knobs of `scheduler`.

    The socket comes first: where it may not be opened, nothing of the scheduler is touched.
    """
    from ..private_socket.server import replace_server
    from .board import Board
    from .desk import KnobDesk
    from .identity import identify
    from .offered_knobs import probe

    lock = threading.RLock()
    knobs = probe(scheduler)
    board = Board(knobs, lock)
    server = replace_server("", KnobDesk(board, identify(scheduler)))
    for method, attribute in (("schedule", "before_step"), ("add_request", "before_request")):
        hooks = [hook for knob in knobs if (hook := getattr(knob, attribute)) is not None]
        guard(scheduler, method, lock, hooks)
    server.start()
    live_names = [knob.name for knob in knobs if knob.kind == "live"]
    say(f"live knobs on {server.path}: {', '.join(live_names) or 'none'}")


def guard(scheduler: Any, method: str, lock: Any, hooks: Sequence[Callable[..., None]]) -> None:
    """Wrap a method of this one scheduler so that it runs under `lock`, after all `hooks`.

    The instance is wrapped, not the class, so that overrides in subclasses are covered too. The
    lock is reentrant because a method may call another guarded one.
    """
    original_method = getattr(scheduler, method)

    @functools.wraps(original_method)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return original_method(*args, **kwargs)

    @functools.wraps(original_method)
    def prepared(*args: Any, **kwargs: Any) -> Any:
        with lock:
            for hook in hooks:
                try:
                    hook(*args, **kwargs)
                except Exception as error:
                    say_once(f"cannot prepare {method}", error)
            return original_method(*args, **kwargs)

    setattr(scheduler, method, prepared if hooks else guarded)
