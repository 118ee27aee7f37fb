"""A key: what it is called, and what it does where it is pressed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """One key: `keys` as Textual names them, `shown` as people read it, `hint` for the bottom line.

    An empty `hint` keeps it out of the bottom line. `action` is one of the screen or list that has
    the key; where several keys share one, `{key}` in it is the key pressed. It turns `knob`.
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


def bindings_of(keys: Iterable[Key]) -> list[BindingType]:
    """The Textual bindings of some keys."""
    return [binding for key in keys for binding in key.bindings()]
