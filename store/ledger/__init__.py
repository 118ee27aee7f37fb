"""The file itself: open, create, check, migrate, write, its views and their export."""
