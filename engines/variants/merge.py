"""The command line of the engine that a swap would start."""

from __future__ import annotations

from collections.abc import Sequence

from engines.command_line.arguments import read_arguments
from engines.command_line.flags import cut, is_flag, joined, last_value, without
from engines.variants.variant import Variant

_OF_THE_CHECKPOINT = (
    "quantization",
    "quantization-config",
    "revision",
    "code-revision",
    "tokenizer-revision",
    "hf-config-path",
)
"""Flags that describe the files of one model: said of another they keep vLLM from starting."""


def merged_arguments(running: Sequence[str], variant: Variant) -> tuple[str, ...]:
    """What follows `vllm serve` for the variant: the running engine's arguments, each flag that the
    variant gives in place of the running one's, in whatever form either is written.

    With another model, flags that describe the old one's files (its quantisation, its revision) go,
    and the name that clients call it by stays: where `running` names none, that is the old model.
    """
    old = read_arguments(running).model
    flags = cut(running)
    added = list(variant.arguments)
    if variant.model != old:
        flags = without(flags, _OF_THE_CHECKPOINT)
        if old is not None and last_value((*running, *added), "served-model-name") is None:
            added = ["--served-model-name", old, *added]
    kept_arguments = joined(without(flags, {flag.name for flag in cut(added) if flag.name}))
    return (*_with_model(kept_arguments, variant.model), *added)


def _with_model(arguments: Sequence[str], model: str) -> list[str]:
    """The arguments with this model, in the form in which they name theirs."""
    if arguments and not is_flag(arguments[0]):
        return [model, *arguments[1:]]
    flags = cut(arguments)
    options = joined(without(flags, ["model"]))
    # Started as a module, vLLM may take its model as a flag only.
    return ["--model", model, *options] if len(options) < len(arguments) else [model, *options]
