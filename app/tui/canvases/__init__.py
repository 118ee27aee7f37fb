"""Widgets without content of their own, which others are made of: lines in, changed rows out."""
