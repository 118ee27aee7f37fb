"""What a vLLM command line says."""
