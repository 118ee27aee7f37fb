"""Activities that GPUs of Hopper and newer measure by themselves: SMs, tensor cores, DRAM.

NVML gives them as means between two samples of its own (nvmlGpmMetricsGet), in per cent. The two
samples of a card are kept here and take turns; they live as long as the program.
"""

from __future__ import annotations

import math
from typing import Any

from engines.devices.nvml.library import FOR_GOOD, Library, NvmlFault
from engines.devices.nvml.values import Gpu

_METRICS = {"sm_active": 2, "tensor_active": 5, "dram_active": 10}
"""NVML_GPM_METRIC_SM_UTIL, _ANY_TENSOR_UTIL, _DRAM_BW_UTIL."""


class Gpm:
    """The activities of one GPU or slice."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._is_there: bool | None = None
        self._before: Any = None
        self._spare: Any = None

    def read(self, gpu: Gpu) -> dict[str, float]:
        """Means since the call before, 0..1 by name; {} the first time and where there are none."""
        if self._is_there is False:
            return {}
        try:
            if self._is_there is None:
                self._is_there = self._supported(gpu)
                if not self._is_there:
                    return {}
            return self._since_before(gpu)
        except NvmlFault as fault:
            self._before = None  # the next mean must not reach over what failed
            if fault.code in FOR_GOOD:
                self._is_there = False
            return {}

    def _supported(self, gpu: Gpu) -> bool:
        support = self._library.call("nvmlGpmQueryDeviceSupport", gpu.parent or gpu.handle)
        return bool(support.isSupportedDevice)

    def _since_before(self, gpu: Gpu) -> dict[str, float]:
        call = self._library.call
        now = self._spare or call("nvmlGpmSampleAlloc")
        self._spare = None
        if gpu.parent is None:
            call("nvmlGpmSampleGet", gpu.handle, now)
        else:
            call("nvmlGpmMigSampleGet", gpu.parent, gpu.instance, now)
        before, self._before = self._before, now
        if before is None:
            return {}
        asked = self._library.constant("c_nvmlGpmMetricsGet_t")()
        asked.version = self._library.constant("NVML_GPM_METRICS_GET_VERSION")
        asked.numMetrics = len(_METRICS)
        asked.sample1, asked.sample2 = before, now
        for place, metric in enumerate(_METRICS.values()):
            asked.metrics[place].metricId = metric
        call("nvmlGpmMetricsGet", asked)
        self._spare = before
        return {
            name: min(value / 100, 1.0)
            for place, name in enumerate(_METRICS)
            if asked.metrics[place].nvmlReturn == 0
            and math.isfinite(value := asked.metrics[place].value)
            and value >= 0
        }
