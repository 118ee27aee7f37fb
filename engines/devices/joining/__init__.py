"""Which engine holds which GPU: by PID, by its environment, or as a person states."""
