"""Swaps beside faults in their midst, on a real engine: `make crossings-live`, half an hour."""
