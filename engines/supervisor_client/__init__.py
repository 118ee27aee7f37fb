"""Asking a supervisor from another process: its status, an order, and the answers as values."""
