"""HTTP with a total deadline and a size cap."""
