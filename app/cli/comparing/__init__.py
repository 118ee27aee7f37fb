"""Commands that keep windows under a name and compare two of them."""
