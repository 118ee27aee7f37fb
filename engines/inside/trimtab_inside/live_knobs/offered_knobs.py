"""What this vLLM lets us change live, found by looking at its scheduler.

An attribute that exists but that no step reads would take a value and do nothing. So a knob is
offered only where the code of the running classes names the attribute outside their constructors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from .knobs import DRAINS, Attribute, Knob, LongPrefillThreshold, NotLive, PrefixReading, RunningCap


def probe(scheduler: Any) -> list[Knob]:
    """Every knob, live or not; one whose probe fails is not live."""
    return [
        _safely("enable_prefix_caching", _prefix_caching, scheduler),
        _safely("max_num_seqs", _admission, scheduler),
        _safely("max_num_batched_tokens", _token_budget, scheduler),
        _safely("long_prefill_token_threshold", _long_prefill_threshold, scheduler),
    ]


def _safely(name: str, find: Callable[[Any], Knob], scheduler: Any) -> Knob:
    try:
        return find(scheduler)
    except Exception as error:
        return NotLive(
            name, None, reason=f"not found in this vLLM ({type(error).__name__}: {error})"
        )


def _prefix_caching(scheduler: Any) -> Knob:
    manager = scheduler.kv_cache_manager
    if not manager.enable_caching:
        reason = "the engine was started without prefix caching; a swap can turn it on"
        return NotLive("enable_prefix_caching", False, reason=reason)
    if not reads(manager, "skip_reading_prefix_cache"):
        reason = "this vLLM cannot skip the prefix cache per request; a swap can turn it off"
        return NotLive("enable_prefix_caching", True, reason=reason)
    reason = "off stops reading; blocks are still written, so on is warm at once"
    if getattr(scheduler, "connector", None) is not None:
        reason += "; off also keeps the KV connector from loading blocks"
    return PrefixReading(scheduler, reason)


def _admission(scheduler: Any) -> Knob:
    if hasattr(scheduler, "max_num_active_reqs") and reads(scheduler, "max_num_active_reqs"):
        bounds = (1, int(scheduler.max_num_running_reqs))
        return Attribute(
            "max_num_seqs", scheduler, "max_num_active_reqs", bounds=bounds, reason=DRAINS
        )
    if not reads(scheduler, "max_num_running_reqs"):
        return _unread("max_num_seqs", scheduler.max_num_running_reqs)
    return RunningCap(scheduler)


def _token_budget(scheduler: Any) -> Knob:
    """The token budget. Below vLLM's own lower limits a request could wait for ever.

    These are: a token (with speculation, the padded drafts too) for each sequence that may run,
    which is also what vLLM asks of `max_num_batched_tokens` at start; the whole prompt where it may
    not be cut; the smallest piece a prompt is cut into.
    """
    name = "max_num_batched_tokens"
    start = int(scheduler.max_num_scheduled_tokens)
    if not reads(scheduler, "max_num_scheduled_tokens"):
        return _unread(name, start)
    if _whole_images(scheduler):
        return NotLive(
            name, start, reason="images and audio are not cut here, so the budget must hold one"
        )
    per_sequence = 1 + int(getattr(scheduler, "num_spec_tokens", 0) or 0)
    minimum = max(int(scheduler.max_num_running_reqs) * per_sequence, smallest_piece(scheduler))
    if not _chunked(scheduler):
        minimum = max(minimum, int(scheduler.max_model_len))
    bounds = (min(minimum, start), start)
    return Attribute(name, scheduler, "max_num_scheduled_tokens", bounds=bounds)


def _long_prefill_threshold(scheduler: Any) -> Knob:
    name = "long_prefill_token_threshold"
    config = scheduler.scheduler_config
    start = int(config.long_prefill_token_threshold)
    if not reads(scheduler, name):
        return _unread(name, start)
    if not _chunked(scheduler):
        return NotLive(name, start, reason="the engine was started without chunked prefill")
    if _whole_images(scheduler):
        return NotLive(name, start, reason="images and audio are not cut in this engine")
    largest = int(scheduler.max_model_len)
    return LongPrefillThreshold(config, name, smallest_piece(scheduler), largest)


def _unread(name: str, value: Any) -> Knob:
    return NotLive(
        name, value, reason="this vLLM does not read it while it runs; a swap can change it"
    )


def _chunked(scheduler: Any) -> bool:
    """Whether a prompt may be cut over several steps. Older versions resolve it in a property."""
    config = scheduler.scheduler_config
    resolved = getattr(config, "chunked_prefill_enabled", None)
    return bool(config.enable_chunked_prefill if resolved is None else resolved)


def _whole_images(scheduler: Any) -> bool:
    """Whether a multimodal item must fit into one step."""
    model = getattr(scheduler.vllm_config, "model_config", None)
    return bool(
        getattr(scheduler.scheduler_config, "disable_chunked_mm_input", False)
        and getattr(model, "is_multimodal_model", False)
    )


def smallest_piece(scheduler: Any) -> int:
    """Tokens of the smallest piece of a prompt that makes progress.

    State-space layers align pieces to cache blocks; multi-module drafters need a look-ahead.
    """
    smallest = max(1, int(getattr(scheduler, "num_prefill_lookahead", 0) or 0))
    if getattr(scheduler, "need_mamba_block_aligned_split", False):
        smallest = max(smallest, int(scheduler.block_size))
    return smallest


def reads(instance: Any, attribute: str) -> bool:
    """Whether a method of the object's classes, constructors aside, names `attribute`."""
    return any(
        attribute in _names(code)
        for owner in type(instance).__mro__
        for method, function in vars(owner).items()
        if method != "__init__"
        for code in _codes(function)
    )


def _codes(function: Any) -> Iterator[CodeType]:
    """The code of a function, looking through the wrappers of decorators and properties."""
    function = getattr(function, "fget", function)
    while function is not None:
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            yield code
        function = getattr(function, "__wrapped__", None)


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names
