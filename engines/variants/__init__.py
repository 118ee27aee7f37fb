"""What an engine could be swapped to, and whether it fits beside the one that runs."""

from engines.variants.estimates import Estimate, estimate, running_variant, weights_of
from engines.variants.merge import merged_arguments
from engines.variants.offers import offered
from engines.variants.room import room_of
from engines.variants.variant import Origin, Variant
from engines.variants.weights import Weights, read_weights

__all__ = [
    "Estimate",
    "Origin",
    "Variant",
    "Weights",
    "estimate",
    "merged_arguments",
    "offered",
    "read_weights",
    "room_of",
    "running_variant",
    "weights_of",
]
