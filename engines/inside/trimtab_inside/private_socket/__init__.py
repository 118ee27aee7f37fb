"""A process's private socket: where it lies, how it is served, what is spoken on it."""
