"""The plugin's few words in the engine's log."""

from __future__ import annotations

import logging

_logger = logging.getLogger("vllm.trimtab")
_said: set[str] = set()


def say_once(what: str, error: BaseException | None = None) -> None:
    """Tell the engine's log, once per subject, that it goes on without a part of this plugin."""
    if what in _said:
        return
    _said.add(what)
    why = f": {type(error).__name__}: {error}" if error is not None else ""
    _logger.warning("trimtab %s%s. The engine serves on as stock vLLM.", what, why)


def say(text: str) -> None:
    """Tell the engine's log something that is no trouble."""
    _logger.info("trimtab %s", text)
