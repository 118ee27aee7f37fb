"""The plugin's few words in the engine's log."""

from __future__ import annotations

import logging

_logger = logging.getLogger("vllm.trimtab")
_said_subjects: set[str] = set()


def say_once(subject: str, error: BaseException | None = None) -> None:
    """Tell the engine's log, once per subject, that it goes on without a part of this plugin."""
    if subject in _said_subjects:
        return
    _said_subjects.add(subject)
    cause = f": {type(error).__name__}: {error}" if error is not None else ""
    _logger.warning("trimtab %s%s. The engine serves on as stock vLLM.", subject, cause)


def say(text: str) -> None:
    """Tell the engine's log something that is no trouble."""
    _logger.info("trimtab %s", text)
