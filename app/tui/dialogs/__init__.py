"""Dialogs over a screen, one a file."""
