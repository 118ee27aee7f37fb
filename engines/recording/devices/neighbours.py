"""What the engines of one recorder share, so that their parts of a device add up."""

from __future__ import annotations

from dataclasses import dataclass, field

from engines.devices.gpu_share import GpuShares
from engines.devices.host.host_share import HostShares
from engines.devices.joining.holding import Asked
from engines.held_gpus import NOTHING_STATED, StatedGpus


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`stated` is what a person said that engines hold; `asked_by_url` are all engines that are
    recorded, as what was said of one counts in what the others have of a GPU; `host` splits the
    host among those that compute on it, `gpus` each GPU.
    """

    stated: StatedGpus = NOTHING_STATED
    asked_by_url: dict[str, Asked] = field(default_factory=dict)
    host: HostShares = field(default_factory=HostShares)
    gpus: GpuShares = field(default_factory=GpuShares)
