"""The schema of each version as it was, and the steps from one to the next."""
