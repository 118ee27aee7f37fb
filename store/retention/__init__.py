"""Old readings thinned out."""
