"""How far the value of a window may lie from what it would be over a long time."""
