"""Where on a page each number of a reading stands.

From scrape to scrape an engine's page has the same series in the same order, so this is worked out
once and used until the series change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engines.metrics_page import vllm_names as names
from engines.metrics_page.buckets import HistogramLayout, layout_of
from engines.metrics_page.errors import NotMetrics
from engines.metrics_page.parse import Series
from engines.metrics_page.sample import sum_of
from store.foreign_text import printable
from store.reading_columns import Bounds

Indices = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Indices into the values of a page by our names; `scale` turns a count of blocks into tokens
    (None where it cannot). `twins` are the series that stand twice: the place that is read, and
    another one; `awake` tell which engines do not sleep. The rest as in `Sample`."""

    counters: Mapping[str, Indices]
    seconds: Mapping[str, Indices]
    histograms: Mapping[str, HistogramLayout]
    bounds: Bounds
    gauges: Mapping[str, Indices]
    process_start: Indices
    scale: Mapping[str, int | None]
    model: str | None
    cache_config: Mapping[str, str]
    sources: Mapping[str, str]
    parts: Mapping[str, int]
    ranks: frozenset[str]
    twins: tuple[tuple[int, int], ...]
    awake: Indices


def lay_out(series: Sequence[Series], text: str) -> Layout:
    """The layout of a page with these series; raises `NotMetrics` if what must be there is not."""
    series, twins = _without_twins(series)
    by_name: dict[str, list[int]] = {}
    for index, sample in enumerate(series):
        by_name.setdefault(sample.name, []).append(index)
    _require(by_name, text)
    _check_one_replica(series)
    counters = _pick(names.COUNTERS, by_name)
    counters |= _finished(series, by_name)
    counters |= _lazy(series, by_name, text)
    counters |= _local_hits(series, by_name)
    config = _cache_config(series, by_name)
    scale = _scale(counters, series, text, config)
    histograms = _histograms(series)
    seconds, gauges = _pick(names.SECONDS, by_name), _pick(names.GAUGES, by_name)
    plain = {**counters, **seconds, **gauges}
    sources = {name: series[at[0]].name if at else name for name, at in plain.items()}
    for name, layout in histograms.items():
        sources[name], sources[sum_of(name)] = layout.name, f"{layout.name}_sum"
    return Layout(
        counters=counters,
        seconds=seconds,
        histograms=histograms,
        bounds=Bounds({name: layout.bounds for name, layout in histograms.items()}),
        gauges=gauges,
        process_start=_first((names.PROCESS_START,), by_name)[:1],
        scale=scale,
        model=_model(series),
        cache_config=config,
        sources=sources,
        parts={name: len(at) for name, at in plain.items()}
        | {name: len(layout.ladders) for name, layout in histograms.items()},
        ranks=_ranks(series, counters),
        twins=twins,
        awake=tuple(
            index
            for index in by_name.get(names.SLEEP_STATE, ())
            if series[index].label("sleep_state") == "awake"
        ),
    )


_TWIN = Series("")
"""What stands in the place of a series that is told again."""


def _without_twins(
    series: Sequence[Series],
) -> tuple[Sequence[Series], tuple[tuple[int, int], ...]]:
    if len(set(series)) == len(series):
        return series, ()
    first_at: dict[Series, int] = {}
    twins = []
    for index, sample in enumerate(series):
        first = first_at.setdefault(sample, index)
        if first != index:
            twins.append((first, index))
    again = {index for _, index in twins}
    kept = [_TWIN if index in again else sample for index, sample in enumerate(series)]
    return kept, tuple(twins)


def _ranks(series: Sequence[Series], counters: Mapping[str, Indices]) -> frozenset[str]:
    labels = (series[index].label(names.RANK) for index in counters[names.REQUIRED[0]])
    return frozenset(label for label in labels if label is not None)


def _require(by_name: Mapping[str, list[int]], text: str) -> None:
    for name in names.REQUIRED:
        if not _first(names.COUNTERS[name], by_name):
            if any(mark in text for mark in names.ROUTER_MARKS):
                raise NotMetrics("a router's page: give the address of an engine behind it")
            if "\nvllm:" not in text and not text.startswith("vllm:"):
                raise NotMetrics(
                    "a page of metrics, but without vLLM's: an engine that was started with "
                    "--disable-log-stats tells none"
                )
            raise NotMetrics(f"the page is not whole: no {names.COUNTERS[name][0]}")
    if not _first([f"{name}_count" for name in names.REQUIRED_HISTOGRAM], by_name):
        raise NotMetrics(f"the page is not whole: no {names.REQUIRED_HISTOGRAM[0]}")


def _check_one_replica(series: Sequence[Series]) -> None:
    """Ray's exporter may tell of several engines on one page; added up they would be none."""
    for label in names.REPLICA_LABELS:
        replicas = {value for each in series if (value := each.label(label)) is not None}
        if len(replicas) > 1:
            raise NotMetrics(
                f"Ray's exporter tells of {len(replicas)} engines here, and one is read an address"
            )


def _first(candidates: Sequence[str], by_name: Mapping[str, list[int]]) -> Indices:
    for candidate in candidates:
        if candidate in by_name:
            return tuple(by_name[candidate])
    return ()


def _pick(
    table: Mapping[str, tuple[str, ...]], by_name: Mapping[str, list[int]]
) -> dict[str, Indices]:
    pairs = ((name, _first(candidates, by_name)) for name, candidates in table.items())
    return {name: indices for name, indices in pairs if indices}


def _finished(series: Sequence[Series], by_name: Mapping[str, list[int]]) -> dict[str, Indices]:
    """Finished requests by reason; a reason without a series has not happened."""
    if names.FINISHED not in by_name:
        return {}
    counters: dict[str, list[int]] = {
        f"requests_{reason}": [] for reason in (*names.FINISHED_REASONS, "other")
    }
    for index in by_name[names.FINISHED]:
        reason = series[index].label(names.FINISHED_LABEL)
        counters[f"requests_{reason if reason in names.FINISHED_REASONS else 'other'}"].append(
            index
        )
    return {name: tuple(indices) for name, indices in counters.items()}


def _local_hits(series: Sequence[Series], by_name: Mapping[str, list[int]]) -> dict[str, Indices]:
    """Prompt tokens of the engine's own cache; not those that came over from another engine, which
    `prompt_tokens_cached` counts as well."""
    indices = by_name.get(names.PROMPT_BY_SOURCE, ())
    local = tuple(at for at in indices if series[at].label("source") == names.LOCAL_HIT)
    return {"cached_prompt_tokens": local} if local else {}


def _lazy(
    series: Sequence[Series], by_name: Mapping[str, list[int]], text: str
) -> dict[str, Indices]:
    """Counters whose series appear with their first event: none of an announced one means 0."""
    counters: dict[str, Indices] = {}
    if _announced(names.REJECTIONS, by_name, text):
        counters["admission_rejections"] = tuple(by_name.get(names.REJECTIONS, ()))
    if _announced(names.HTTP_REQUESTS, by_name, text):
        counters["http_5xx"] = tuple(
            index
            for index in by_name.get(names.HTTP_REQUESTS, ())
            if (series[index].label("status") or "").startswith("5")
        )
    return counters


def _announced(name: str, by_name: Mapping[str, list[int]], text: str) -> bool:
    """Whether the page speaks of a family.

    A TYPE line that ends the page may have been cut off from its series, and does not count.
    """
    if name in by_name:
        return True
    start = text.find(f"\n# TYPE {name} ")
    return start >= 0 and text.find("\n", start + 1) < len(text.rstrip()) - 1


def _histograms(series: Sequence[Series]) -> dict[str, HistogramLayout]:
    layouts: dict[str, HistogramLayout] = {}
    for name, candidates in names.HISTOGRAMS.items():
        for candidate in candidates:
            layout = layout_of(candidate, series)
            if layout is not None:
                layouts[name] = layout
                break
    return layouts


def _scale(
    counters: Mapping[str, Indices],
    series: Sequence[Series],
    text: str,
    config: Mapping[str, str],
) -> dict[str, int | None]:
    """Tokens per unit of the counters whose HELP says that they count blocks."""
    scale: dict[str, int | None] = {}
    for counter in names.PREFIX_COUNTERS:
        if counter not in counters:
            continue
        start = text.find(f"# HELP {series[counters[counter][0]].name} ")
        line = text[start : text.find("\n", start)] if start >= 0 else ""
        if "blocks" in line:
            size = config.get("block_size", "")
            scale[counter] = int(size) if size.isascii() and size.isdigit() else None
    return scale


def _model(series: Sequence[Series]) -> str | None:
    labels = (sample.label("model_name") or sample.label("model") for sample in series)
    models = {label for label in labels if label}
    return printable(", ".join(sorted(models))) if models else None


def _cache_config(series: Sequence[Series], by_name: Mapping[str, list[int]]) -> dict[str, str]:
    """The labels of the first engine's configuration; the engines of one server are alike."""
    indices = by_name.get(names.CACHE_CONFIG)
    if not indices:
        return {}
    return {
        printable(key): printable(value)
        for key, value in series[indices[0]].labels
        if key not in names.NOT_CONFIG
    }
