"""Commands that start, stop, feed and examine: engines, their environment, the demo, this host."""
