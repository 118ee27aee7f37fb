"""All keys as people read of them, in the help and in the README: (key, what it does)."""

from __future__ import annotations

from app.tui.keys.main_screen import KNOB_LIST_KEYS, MAIN_KEYS
from app.tui.keys.swap_screen import PLAN_KEYS, SWAP_KEYS, VARIANT_LIST_KEYS

Rows = list[tuple[str, str]]

_EVERYWHERE = [("escape", "Close a dialog; a swap goes on")]


def key_table() -> Rows:
    """The keys of all screens."""
    swap = [(key, f"Swap screen: {does[0].lower()}{does[1:]}") for key, does in swap_table()]
    return main_table() + swap


def main_table() -> Rows:
    """Those of the main screen, and those that hold everywhere."""
    return [(key.shown, key.description) for key in (*MAIN_KEYS, *KNOB_LIST_KEYS)] + _EVERYWHERE


def swap_table() -> Rows:
    """Those of the swap screen alone."""
    keys = (*VARIANT_LIST_KEYS, *PLAN_KEYS, *SWAP_KEYS)
    return [(key.shown, key.description) for key in keys]
