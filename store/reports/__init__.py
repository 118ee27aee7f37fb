"""Reports of long acts, as declared values with both directions of JSON."""
