"""One widget a file; each draws lines from a frame and does no I/O."""
