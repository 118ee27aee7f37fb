"""What fuzzing is for."""

from __future__ import annotations


class Finding(Exception):
    """Something that was to hold does not."""


class Late(Finding):
    """A deadline was missed. A machine may stand still for a moment: it counts the second time."""
