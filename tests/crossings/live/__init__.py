"""Swap and adopt beside faults in their midst, on a real engine: `make crossings-live`, an hour."""
