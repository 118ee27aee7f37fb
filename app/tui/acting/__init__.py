"""From a key to an act: the edge to `app.acts`, and the messages an act sends on its way."""
