"""Recorders that are killed at random moments and begun again, and what their ledger is worth.

`make kills` runs `__main__.py`.
"""
