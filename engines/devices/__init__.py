"""GPUs through NVML, and the host itself where an engine computes on the CPU."""
