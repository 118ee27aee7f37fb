"""Another user of the host beside our work: what that user does, and what it costs us."""
