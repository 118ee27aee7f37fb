"""What an engine goes by that nobody named."""

from __future__ import annotations

import pytest

from engines.discovery.naming import default_name

REVISION = "c1899de289a04d12100db370d81485cdf75e47ca"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen3-0.6B", "Qwen3-0.6B"),
        ("/models/tiny/", "tiny"),
        (f"/root/.cache/hub/models--Qwen--Qwen3-0.6B/snapshots/{REVISION}", "Qwen3-0.6B"),
        (f"/data/my-model/snapshots/{REVISION}/", "my-model"),
        ("/data/snapshots/nightly", "nightly"),
        ("/models/llama/1", "llama-1"),  # a bare number would be read as a port
        ("8001", "model-8001"),
        (None, "127.0.0.1"),
    ],
)
def test_the_model_gives_the_name(model: str | None, name: str) -> None:
    assert default_name(model, "http://127.0.0.1:8000") == name
