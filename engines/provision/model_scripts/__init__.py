"""Scripts run by the engine environment's Python, which has the libraries that models need."""
