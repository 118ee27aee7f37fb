"""Exact differences between two instants of a ledger."""
