"""What moves a real engine (swap, adopt) beside each fault in its midst. `make crossings` runs it:
half an hour, too long for every change."""
