"""A line of another program's output, made fit to be shown."""

from __future__ import annotations

import re

from engines.cleaning.redact import redact_text
from store.foreign_text import printable

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.?)")


LONGEST = 300


def clean_line(text: str) -> str:
    """`text` without terminal sequences, secrets and control characters, cut at `LONGEST`.

    Sequences go first: a colour in front of a name would hide the secret behind it.
    """
    return printable(redact_text(_ESCAPE_SEQUENCE.sub("", text).strip()), LONGEST)
