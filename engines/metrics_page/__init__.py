"""vLLM's `/metrics` page: text → samples → our names."""

from engines.metrics_page.errors import NotMetrics
from engines.metrics_page.page import PageReader, read
from engines.metrics_page.parse import Parser, Samples, Series
from engines.metrics_page.sample import Sample

__all__ = ["NotMetrics", "PageReader", "Parser", "Sample", "Samples", "Series", "read"]
