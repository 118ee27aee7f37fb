"""The acts of a person: change knobs, take a change back, name a window.

Each acts on an engine through `engines.control.knobs` and leaves its row in the ledger. The
command line and the screen call these and nothing else.
"""

from app.acts.audit import describe, who
from app.acts.knobs import set_knobs
from app.acts.snapshots import Taken, take_snapshot
from app.acts.undo import undo

__all__ = [
    "Taken",
    "describe",
    "set_knobs",
    "take_snapshot",
    "undo",
    "who",
]
