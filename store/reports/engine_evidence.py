"""What of one engine can be seen to differ from another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from store.reports.fields import a_count, a_list, a_text, an_object


@dataclass(frozen=True, slots=True)
class EngineEvidence:
    """What one engine shows. `layers_quantised` is what its log says it quantised while loading;
    `limits` the arguments among those that change what it can do. Unknown is None."""

    model: str | None = None
    weight_bytes: int | None = None
    quantisation: str | None = None
    dtype: str | None = None
    asked_quantisation: str | None = None
    layers_quantised: int | None = None
    kernels: tuple[str, ...] = ()
    limits: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, written: object) -> EngineEvidence:
        """What `to_json` wrote; a field of another type is unknown."""
        fields = an_object(written) or {}
        pairs = (a_list(pair) for pair in a_list(fields.get("limits")))
        return cls(
            model=a_text(fields.get("model")),
            weight_bytes=a_count(fields.get("weight_bytes")),
            quantisation=a_text(fields.get("quantisation")),
            dtype=a_text(fields.get("dtype")),
            asked_quantisation=a_text(fields.get("asked_quantisation")),
            layers_quantised=a_count(fields.get("layers_quantised")),
            kernels=tuple(name for name in a_list(fields.get("kernels")) if isinstance(name, str)),
            limits=tuple((str(pair[0]), str(pair[1])) for pair in pairs if len(pair) == 2),
        )
