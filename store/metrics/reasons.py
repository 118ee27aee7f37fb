"""Why a metric of a window is unknown, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from store.metrics.amounts import Amounts, abandoned_hint
from store.metrics.measure import MetricValue
from store.metrics.specs import METRICS, MetricSpec
from store.reading_columns import GAUGES, HISTOGRAMS
from store.tables.doubts import DEVICES

if TYPE_CHECKING:
    from store.metrics.cost import WindowCost
    from store.windows.window import Window

NOT_TOLD = "the engine does not tell it"

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "requests": ("requests_stop", "requests_length", "requests_other"),
    "failed": ("requests_abort", "requests_error"),
    "finished": ("requests_stop", "requests_length", "requests_other", "requests_abort"),
    "hit_tokens": ("cached_prompt_tokens", "prefix_hits"),
    "looked_up_tokens": ("prompt_tokens", "prefix_queries"),
    "tokens": ("prompt_tokens", "generation_tokens"),
    "active_s": ("running", "waiting"),
    "prefill_s": ("prefill_us",),
    "decode_s": ("decode_us",),
    "allocated_usd": (DEVICES,),
    "active_usd": (DEVICES, "running", "waiting"),
    **{f"{name}_s": (name,) for name in GAUGES},
    **{f"{name}_watched_s": (name,) for name in GAUGES},
    **{gauge.maximum: (name,) for name, gauge in GAUGES.items()},
    **{name: (name,) for name in HISTOGRAMS},
}
"""By amount, what of a page it is made of where that goes by other names."""
_NOTHING = {
    "requests": "no request was answered in this window",
    "finished": "no request finished in this window",
    "prompt_tokens": "no prompt token was counted in this window",
    "looked_up_tokens": "no prompt token was counted in this window",
    "generation_tokens": "no output token was counted in this window",
    "tokens": "no token was counted in this window",
    "prefill_count": "no request finished in this window",
    "decode_count": "no request finished in this window",
    "watched_s": "nobody watched the engine in this window",
    "gpu_watched_s": "no GPU of this engine was watched",
    "gpu_memory_s": "no GPU of this engine was watched",
}


def reasons(
    values: Mapping[str, MetricValue],
    window: Window,
    sums: Amounts,
    cost: WindowCost,
    doubts: Mapping[str, str],
) -> dict[str, str]:
    """A sentence for each metric whose value is None, in the order of display.

    `sums` are the window's amounts, `cost` is what it cost, `doubts` what of it was not believed.
    """
    return {
        spec.name: _reason(spec, window, sums, cost, doubts)
        for spec in METRICS
        if values[spec.name] is None
    }


def _reason(
    spec: MetricSpec, window: Window, sums: Amounts, cost: WindowCost, doubts: Mapping[str, str]
) -> str:
    amounts = [amount for amount in (spec.over, spec.per) if amount]
    for amount in amounts:
        for name in _FIELDS.get(amount, (amount,)):
            if name in doubts:
                return doubts[name]
    if cost.reason and any(amount.endswith("_usd") and sums[amount] is None for amount in amounts):
        return cost.reason
    if "failed" in amounts and (hint := abandoned_hint(window)):
        return hint
    if spec.kind == "percentile":
        histogram = window.histograms.get(spec.over)
        return NOT_TOLD if histogram is None else "no observation fell into this window"
    if spec.per == "looked_up_tokens" and sums.get(spec.per) == 0 and sums.get("prompt_tokens"):
        # Counted as look-ups here; a later vLLM tells cached tokens of all prompt tokens.
        return "no prompt was looked up in the prefix cache in this window, as while it is off"
    if spec.per and sums.get(spec.over) is not None and not sums.get(spec.per):
        return _NOTHING.get(spec.per, _NOTHING["watched_s"])
    if spec.kind == "ratio" and sums.get(spec.over) is not None and sums.get(spec.per):
        return "what the engine tells would make it more than the whole"
    return NOT_TOLD
