"""Two windows compared: effects with intervals, and a verdict."""
