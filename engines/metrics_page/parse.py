"""The Prometheus text format, fast for pages that are read again and again.

Between two scrapes a line changes only in its value: what stands before it (`name{label="value"}`,
or the words of a comment) is the same bytes. So a `Parser` remembers what each such beginning
means, and a page seen before costs a split, a dictionary look-up and a `float` a line. Beginnings
not seen before go through the full grammar. A beginning is remembered only if it is a whole series
and nothing else, so a line with a timestamp can never be taken for one without.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4). Exemplars
and `# EOF` of OpenMetrics are not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from engines.metrics_page.errors import NotMetrics
from store.foreign_text import printable

REMEMBERED = 8192
"""How many beginnings of lines a parser keeps (about 0.2 kB each); past it, it starts afresh. A
page of vLLM has 700 lines; one with more than this is still read right, only slower."""

_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"'
_LABELS = _LABEL.replace("(", "(?:").replace("(?:?:", "(?:")
_SERIES = re.compile(
    r"[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*"
    rf"(?:\{{[ \t]*((?:{_LABELS}[ \t]*(?:,[ \t]*|(?=\}})))*)\}})?"
)
_ONE_LABEL = re.compile(_LABEL)
_ESCAPE = re.compile(r'\\([\\n"])')


@dataclass(frozen=True, slots=True)
class Series:
    """A time series: a sample name (`…_bucket`, `…_total` included) and its labels."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    def label(self, name: str) -> str | None:
        """The value of one label, or None where the series does not have it."""
        for key, value in self.labels:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one page in the order they stand: `values[i]` belongs to `series[i]`.

    A parser gives the very same `Series` objects for the same lines of the next page.
    """

    series: list[Series] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Parser:
    """Reads pages of one engine. `select` names the samples wanted (all if None); the others are
    skipped without looking at their value."""

    def __init__(self, select: Collection[str] | None = None) -> None:
        self._select = None if select is None else frozenset(select)
        self._series_by_head: dict[str, Series | None] = {}

    def parse(self, page: bytes | str) -> Samples:
        """The samples of a page; raises `NotMetrics` if a line of it is none."""
        series_by_head = self._series_by_head
        samples = Samples()
        add_series, add_value = samples.series.append, samples.values.append
        for line in whole_lines(page):
            head, _, tail = line.rpartition(" ")
            try:
                series = series_by_head[head]
            except KeyError:
                learned = self._learn(line, head)
                if learned is None:
                    continue
                series, tail = learned
            if series is not None:
                if "_" in tail:
                    raise _not_a_sample(line)
                try:
                    add_value(float(tail))
                except ValueError:
                    raise _not_a_sample(line) from None
                add_series(series)
        return samples

    def _learn(self, line: str, head: str) -> tuple[Series, str] | None:
        """The series and the text of the value of a line not seen before; None if it is skipped."""
        match = _SERIES.fullmatch(head)
        if match is not None:
            series = self._series(match, line)
            self._remember(head, series)
            return None if series is None else (series, line[len(head) + 1 :])
        bare = line.strip()
        if not bare or bare.startswith("#"):
            if head.strip():
                self._remember(head, None)
            return None
        match = _SERIES.match(bare)
        words = bare[match.end() :].split() if match else []
        if match is None or not 1 <= len(words) <= 2 or bare[match.end() - 1] not in "} \t":
            raise _not_a_sample(line)
        series = self._series(match, line)
        return None if series is None else (series, words[0])

    def _series(self, match: re.Match[str], line: str) -> Series | None:
        name, labels = match.groups()
        if self._select is not None and name not in self._select:
            return None
        pairs: list[tuple[str, str]] = _ONE_LABEL.findall(labels or "")
        if len(dict(pairs)) != len(pairs):
            raise _not_a_sample(line)
        if labels and "\\" in labels:
            pairs = [(label, _unescaped(value)) for label, value in pairs]
        return Series(name, tuple(pairs))

    def _remember(self, head: str, series: Series | None) -> None:
        if len(self._series_by_head) >= REMEMBERED:
            self._series_by_head.clear()
        self._series_by_head[head] = series


def whole_lines(page: bytes | str) -> list[str]:
    """The lines of a page; raises `NotMetrics` if it is empty, no text, or breaks off in a line."""
    if isinstance(page, bytes):
        try:
            page = page.decode()
        except UnicodeDecodeError:
            raise NotMetrics("the page is not text") from None
    if not page.strip():
        raise NotMetrics("the page is empty")
    lines = page.split("\n")
    if lines.pop():
        if not page.lstrip().startswith("#") and _SERIES.match(lines[0] if lines else page) is None:
            raise _not_a_sample(page.lstrip().partition("\n")[0])
        raise NotMetrics("the page breaks off in the middle of a line")
    return lines


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], value)


def _not_a_sample(line: str) -> NotMetrics:
    return NotMetrics(f"not a page of metrics: “{printable(line.strip(), 40)}”")
