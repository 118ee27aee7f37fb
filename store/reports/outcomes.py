"""What a report of a long act says while it goes on, and where it came to what was asked."""

RUNNING = "running"
DONE = "done"
