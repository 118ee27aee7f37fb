"""What load to send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from store.errors import BadInput


@dataclass(frozen=True, slots=True)
class TrafficSpec:
    """A load for one engine.

    With `rate` (requests per second, Poisson) the loop is open: requests come whatever the engine
    does. Without, it is closed: `concurrency` clients that each wait for the answer and then
    think, for an exponentially distributed time of mean `think_s`.

    Every prompt begins with the same `shared_prefix_tokens` tokens and goes on with a question of
    its own; `output_lengths` are drawn from evenly. With `ignore_eos` an answer has exactly the
    length drawn. `stream` measures the time to the first token, at more cost for both sides.
    `duration_s` None: until stopped. The same `seed` gives the same questions and lengths in the
    same order. It is never sent to the engine: vLLM's CPU build ends at a seeded request whose
    prefill is cut in chunks.
    """

    concurrency: int = 8
    rate: float | None = None
    think_s: float = 0.0
    shared_prefix_tokens: int = 512
    output_lengths: Sequence[int] = (16, 32, 64, 128)
    ignore_eos: bool = True
    stream: bool = False
    duration_s: float | None = None
    deadline_s: float = 120.0
    seed: int = 1
    model: str | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        """Without the API key."""
        loop = f"rate={self.rate}" if self.rate else f"concurrency={self.concurrency}"
        return f"TrafficSpec({loop}, shared_prefix_tokens={self.shared_prefix_tokens})"

    def check(self) -> TrafficSpec:
        """The spec itself; raises `BadInput` with the bound that is broken."""
        bounds: tuple[tuple[str, float | None, float, float], ...] = (
            ("concurrency", self.concurrency, 1, MAX_IN_FLIGHT),
            ("rate", self.rate, 0.001, 10_000),
            ("think time", self.think_s, 0, 3_600),
            ("shared prefix", self.shared_prefix_tokens, 0, 1_000_000),
            ("duration", self.duration_s, 0.001, 30 * 86_400),
            ("deadline", self.deadline_s, 0.1, 86_400),
            *(("output length", length, 1, 1_000_000) for length in self.output_lengths),
        )
        for name, value, low, high in bounds:
            if value is not None and not low <= value <= high:
                raise BadInput(f"{name} {value:g} is out of bounds", f"{low:g} to {high:g}")
        if not self.output_lengths:
            raise BadInput("no output length is given")
        return self


MAX_IN_FLIGHT = 1_024
"""More open requests than this are not made; an open loop counts them as not sent."""

PRESETS: dict[str, TrafficSpec] = {
    "demo": TrafficSpec(
        concurrency=24,
        think_s=0.05,
        shared_prefix_tokens=1_040,  # just above 8 blocks of 128 tokens: whole blocks are cached
        output_lengths=(32, 64, 96, 128),
    ),
    "light": TrafficSpec(  # for an engine of a hundred tokens per second
        concurrency=8,
        think_s=0.05,
        shared_prefix_tokens=272,  # just above 2 blocks of 128 tokens
        output_lengths=(16, 32, 48),
    ),
    "chat": TrafficSpec(concurrency=8, think_s=1.0, output_lengths=(64, 128, 256), stream=True),
}


def preset(name: str, **changes: object) -> TrafficSpec:
    """A named load, with changes; raises `BadInput` with the list for an unknown name."""
    if name not in PRESETS:
        raise BadInput(f"no traffic preset {name!r}", "", f"one of {', '.join(PRESETS)}")
    return replace(PRESETS[name], **changes)  # type: ignore[arg-type]
