"""The keys of the main screen: bindings, `?`, hints, palette and README."""

from __future__ import annotations

from app.tui.keys.key import Key
from store.knobs.specs import KNOBS


def _turning(id_: str, key: str, name: str) -> Key:
    """The key of a knob: it switches it, or asks for its number."""
    knob = KNOBS[name]
    if knob.type == "switch":
        action, does = "switch", f"Switch {knob.label} off or on, at once"
    else:
        action, does = "edit", f"Change the {knob.label} ({name})"
    return Key(id_, key, key, f"{action}('{name}')", does, knob.short, name)


MAIN_KEYS = (
    _turning("prefix_caching", "p", "enable_prefix_caching"),
    _turning("batch_size", "b", "max_num_seqs"),
    _turning("token_budget", "t", "max_num_batched_tokens"),
    _turning("long_prefill", "l", "long_prefill_token_threshold"),
    Key("swap", "s", "s", "swap", "Swap the engine: variants, plan, progress, outcome", "swap"),
    Key("undo", "u", "u", "undo", "Take back the last change or swap", "undo"),
    Key("mark", "m", "m", "mark", "Mark the last minutes as the baseline (a snapshot)", "mark"),
    Key("compare", "c", "c", "compare", "Compare the baseline with now", "compare"),
    Key("pause", "space", "space", "pause", "Freeze the view; recording goes on", "pause"),
    Key("range", "r", "r", "range", "Look back 15 s, 1 min or 5 min", "range"),
    Key("view", "v", "v", "view", "Show the other charts, the GPUs, or the event log", "view"),
    Key("previous_engine", "left_square_bracket", "[", "engine(-1)", "Show the engine before this"),
    Key("next_engine", "right_square_bracket", "]", "engine(1)", "Show the engine after this"),
    Key(
        "choose_engine",
        "1,2,3,4,5,6,7,8,9",
        "1-9",
        "choose_engine({key})",
        "Show an engine by its number",
    ),
    Key("help", "question_mark", "?", "help", "Explain the keys and the figures", "help"),
    Key("palette", "ctrl+p", "ctrl+p", "app.command_palette", "Find any action by its name"),
    Key("quit", "q,ctrl+c", "q", "app.quit", "Leave; the engine serves on", "quit"),
)

KNOB_LIST_KEYS = (
    Key("knob_above", "up,k", "↑ k", "move(-1)", "Choose the knob above"),
    Key("knob_below", "down,j", "↓ j", "move(1)", "Choose the knob below"),
    Key("change_knob", "enter", "enter", "choose", "Change the chosen knob"),
)
