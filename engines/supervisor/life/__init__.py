"""A supervisor's life: its states as values, and a function for what is done in each."""
