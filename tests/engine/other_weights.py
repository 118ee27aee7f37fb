"""A model whose weights are others than the demo's, on every CPU."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from engines.host.cores import lacks_avx512
from engines.provision.places import models_dir
from tests.engine.conftest import MODEL

INT4 = "tiny-int4"


def other_weights(directory: Path) -> str:
    """The demo's 4-bit model where this CPU can multiply such weights, else a copy of the demo's
    model of which a part of one matrix is zero."""
    return str(zeroed(directory)) if lacks_avx512() else INT4


def zeroed(directory: Path) -> Path:
    """A copy of the demo's model in `directory`: worse, though not beyond all bounds."""
    copy = directory / "zeroed"
    shutil.copytree(models_dir() / MODEL, copy)
    with (copy / "model.safetensors").open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        name = next(name for name in header if name.endswith("layers.0.mlp.down_proj.weight"))
        start, end = header[name]["data_offsets"]
        file.seek(8 + size + start)
        file.write(bytes((end - start) // 16 * 2))
    return copy
