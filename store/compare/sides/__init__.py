"""A side of a comparison: a span of time, cut into blocks and measured."""
