"""Turning knobs: clients of the sockets that the plugin opens inside an engine."""
