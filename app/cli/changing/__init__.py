"""Commands that change a running engine: knobs and swaps, and taking them back."""
