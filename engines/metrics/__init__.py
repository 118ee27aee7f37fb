"""vLLM's `/metrics` page: text → samples → our names."""

from engines.metrics.errors import NotMetrics
from engines.metrics.page import PageReader, read
from engines.metrics.parse import Parser, Samples, Series
from engines.metrics.sample import Sample

__all__ = ["NotMetrics", "PageReader", "Parser", "Sample", "Samples", "Series", "read"]
