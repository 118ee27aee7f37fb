"""A model's files on disk, read without loading them."""
