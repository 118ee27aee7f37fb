"""What several commands need: options, choosing an engine, recording meanwhile, progress."""
