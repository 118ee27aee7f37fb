"""Programs that serve one protocol each with the real server, and tell what has become of them."""
