"""The keys of the swap screen: bindings, `?` and README."""

from __future__ import annotations

from app.tui.keys.key import Key

VARIANT_LIST_KEYS = (
    Key("variant_above", "up", "↑", "move(-1)", "Choose the variant above"),
    Key("variant_below", "down", "↓", "move(1)", "Choose the variant below"),
    Key("plan_variant", "enter", "enter", "pick", "Plan the chosen variant"),
)
PLAN_KEYS = (
    Key("swap_strategy", "s", "s", "strategy", "Plan: another strategy"),
    Key("swap_keep", "k", "k", "keep", "Plan: keep what fails verification, or not"),
    Key("swap_why", "w", "w", "why", "Plan: give a reason"),
    Key("swap_confirm", "enter", "enter", "confirm", "Plan: swap"),
)
SWAP_KEYS = (
    Key("call_off", "x", "x", "call_off", "Call the swap that runs off"),
    Key("go_back", "u", "u", "go_back", "Go back to what served before"),
    Key("last_outcome", "o", "o", "outcome", "Show the outcome of the last swap"),
    Key("swap_before", "left", "←", "older(1)", "Show the swap before"),
    Key("swap_after", "right", "→", "older(-1)", "Show the swap after"),
    Key("variants", "n", "n", "choose", "Show the variants"),
)
