"""NVIDIA's management library: what it lists, and what one GPU tells at an instant."""

from engines.devices.nvml.values import Gpu, GpuProcess, GpuSample

__all__ = ["Gpu", "GpuProcess", "GpuSample"]
