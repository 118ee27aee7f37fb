"""One table a file: its rows as values, written and found."""
