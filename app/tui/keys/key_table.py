"""All keys as people read of them, in the help and in the README."""

from __future__ import annotations

from app.tui.keys.main_screen import KNOB_LIST_KEYS, MAIN_KEYS
from app.tui.keys.swap_screen import PLAN_KEYS, SWAP_KEYS, VARIANT_LIST_KEYS

_EVERYWHERE = [("escape", "Close a dialog; a swap goes on")]


def key_table() -> list[tuple[str, str]]:
    """(key, what it does) in the order shown to people."""
    main = [(key.shown, key.description) for key in (*MAIN_KEYS, *KNOB_LIST_KEYS)]
    swap = [
        (key.shown, f"Swap screen: {key.description[0].lower()}{key.description[1:]}")
        for key in (*VARIANT_LIST_KEYS, *PLAN_KEYS, *SWAP_KEYS)
    ]
    return main + _EVERYWHERE + swap
