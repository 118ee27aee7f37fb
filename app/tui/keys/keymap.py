"""The keys of the main screen, in one place: bindings, `?`, hints, palette and README."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding

from store.knobs.specs import KNOBS


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `keys` as Textual names them, `shown` as people read it, `hint` for the bottom line.

    An empty `hint` keeps it out of the bottom line. `action` is an action of the engine screen;
    where several keys share one, `{key}` in it is the key pressed. `knob` is what the key turns.
    """

    id: str
    keys: str
    shown: str
    action: str
    description: str
    hint: str = ""
    knob: str = ""

    def bindings(self) -> list[Binding]:
        """The Textual bindings; their id lets a user's keymap move them."""
        if "{key}" not in self.action:
            return [Binding(self.keys, self.action, self.description, id=self.id, show=False)]
        return [
            Binding(key, self.action.format(key=key), self.description, id=f"{self.id}_{key}")
            for key in self.keys.split(",")
        ]


def _turning(id_: str, key: str, name: str) -> Key:
    """The key of a knob: it switches it, or asks for its number."""
    knob = KNOBS[name]
    if knob.type == "switch":
        action, does = "switch", f"Switch {knob.label} off or on, at once"
    else:
        action, does = "edit", f"Change the {knob.label} ({name})"
    return Key(id_, key, key, f"{action}('{name}')", does, knob.short, name)


KEYS = (
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
    Key("view", "v", "v", "view", "Show the other charts, or the event log", "view"),
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

BINDINGS = tuple(binding for key in KEYS for binding in key.bindings())
MOVES = (
    ("up down", "Choose a knob in the list"),
    ("enter", "Change the chosen knob"),
    ("escape", "Close a dialog; a swap goes on"),
)
"""Keys that widgets own, for the help."""
SWAP_KEYS = (
    ("k w", "Swap screen, plan: keep it even if it fails; why (s: strategy)"),
    ("x", "Swap screen: call the swap that runs off"),
    ("o n", "Swap screen: the outcomes of the last swaps; the variants"),
)
"""Keys of the swap screen, for the help."""


def key_table() -> list[tuple[str, str]]:
    """(key, what it does) in the order shown to people."""
    return [(key.shown, key.description) for key in KEYS] + list(MOVES + SWAP_KEYS)
