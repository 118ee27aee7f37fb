"""The restart of an engine that somebody else started, with its connections kept waiting."""
