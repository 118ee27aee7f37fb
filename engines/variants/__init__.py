"""What an engine can be swapped to on this machine, and whether there is memory for it."""
