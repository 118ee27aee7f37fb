"""A supervisor's states: a value for each in `state`, and a file with what is done in it."""
