"""What can be wrong with a metrics page."""

from __future__ import annotations

from store.errors import EngineUnreachable


class NotMetrics(EngineUnreachable):
    """What was read is not a whole, sane page of vLLM metrics; nothing of it may be stored.

    `what` is short enough for a status line and holds no control characters.
    """
