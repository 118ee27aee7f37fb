"""In the API server's process: the public address opened and closed, on behalf of a supervisor."""
