"""Making an engine ready to start, and starting it: command, environment, name, port, process."""
