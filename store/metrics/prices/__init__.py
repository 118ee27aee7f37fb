"""What a device costs an hour, and who says so: a GPU, a slice of one, the host."""

from store.metrics.prices.book import Price, PriceBook

__all__ = ["Price", "PriceBook"]
