"""What the whole plugin needs."""
