"""The settings file and its environment variables; where files lie."""
