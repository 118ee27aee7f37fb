"""Metrics: definitions, what a window gives for each, prices and cost."""
