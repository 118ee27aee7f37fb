"""What trimtab meets of vLLM, and nothing else of it: no model, no torch."""
