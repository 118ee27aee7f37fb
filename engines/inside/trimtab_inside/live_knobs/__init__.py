"""In the scheduler's process: the knobs, their changes, and the hooks into vLLM."""
