"""The host as a device: who computes on it, and by how much of it."""
