"""Our own theme: night blue, teal for what flows, gold for money, red and green for verdicts."""

from textual.theme import Theme

TRIMTAB = Theme(
    name="trimtab",
    primary="#5fb8b2",
    secondary="#b48ead",
    accent="#e8b84b",
    warning="#d9a05b",
    error="#e0645c",
    success="#7fb069",
    foreground="#d5dbe3",
    background="#0d1219",
    surface="#121923",
    panel="#1b2531",
    dark=True,
)
