"""The table: what was found, a column for each version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from store.knobs.specs import KNOBS, label
from store.metrics.specs import METRICS
from tests.engine.versions.findings import Found, outcomes

_HEAD = """# Versions of vLLM

`make versions` makes an environment for each version (`trimtab provision --version V`), runs the
engine tests on it, and writes this page of what they found. A version whose cell says what it
cannot do is no fault of trimtab's: beneath each table stands why, as trimtab or vLLM tells it.
`FAILED` is one. `not tried` is neither: its check did not come to an end.
"""

_SECTIONS = {
    "knobs": (
        "Knobs",
        "Turned by `trimtab set`, refused outside their bounds, taken back by `undo`.",
    ),
    "swaps": ("Swaps", "Under traffic by both strategies, and a stop while requests run."),
    "variants": ("Quantised variants", "Swapped to by `trimtab swap`, and back."),
    "metrics": ("Metrics", "As `trimtab show` has them after some load: known, or `–`."),
}

_UNKNOWN = "–"


def as_markdown(versions: Sequence[Found]) -> str:
    """The whole page."""
    parts = [_HEAD, _table("", _when(versions), versions)]
    for section, (title, words) in _SECTIONS.items():
        rows = [
            (title_of(section, row), [_words(found, section, row) for found in versions])
            for row in _rows(section, versions)
        ]
        parts.append(f"## {title}\n\n{words}\n")
        parts.append(_table("", rows, versions))
        parts += _reasons(section, versions)
    return "\n".join(parts).rstrip() + "\n"


def title_of(section: str, row: str) -> str:
    """What the row is called: a knob by vLLM's name and in words."""
    if section == "knobs" and row in KNOBS:
        return f"{label(row)} (`{row}`)"
    return f"`{row}`" if section == "metrics" else row


def _when(versions: Sequence[Found]) -> list[tuple[str, list[str]]]:
    return [
        ("tried on", [found.date for found in versions]),
        ("host", [found.host for found in versions]),
        ("engine tests", [_tests(found) for found in versions]),
    ]


def _tests(found: Found) -> str:
    counts = outcomes(found)
    told = [f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed") if outcome in counts]
    return ", ".join(told) or _UNKNOWN


def _rows(section: str, versions: Sequence[Found]) -> list[str]:
    """In the order of the specs, others as they were found."""
    found = {row for one in versions for row in one.cells.get(section, {})}
    known = [*KNOBS, *(spec.name for spec in METRICS)]
    ordered = [row for row in known if row in found]
    return [*sorted(found - set(known)), *ordered]


def _words(found: Found, section: str, row: str) -> str:
    words, _ = found.cells.get(section, {}).get(row, ("not tried", ""))
    return words


def _table(corner: str, rows: Iterable[tuple[str, list[str]]], versions: Sequence[Found]) -> str:
    heads = [corner, *(found.version for found in versions)]
    lines = [_line(heads), _line(["---"] * len(heads))]
    return "\n".join([*lines, *(_line([title, *cells]) for title, cells in rows), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _reasons(section: str, versions: Sequence[Found]) -> list[str]:
    """What stands beneath: each reason once, with the rows and versions that it is of."""
    of_reason: dict[tuple[str, str], list[str]] = {}
    for row in _rows(section, versions):
        for found in versions:
            _, why = found.cells.get(section, {}).get(row, ("", ""))
            if why:
                of_reason.setdefault((row, why), []).append(found.version)
    if section == "metrics":
        return _by_reason(of_reason, len(versions))
    lines = [
        f"- {title_of(section, row)}, {', '.join(numbers)}: {_escaped(why)}"
        for (row, why), numbers in of_reason.items()
    ]
    return ["\n".join([*lines, ""])] if lines else []


def _by_reason(of_reason: dict[tuple[str, str], list[str]], count: int) -> list[str]:
    """Metrics that share a reason on the same versions in one line."""
    shared: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (row, why), numbers in of_reason.items():
        shared.setdefault((why, tuple(numbers)), []).append(f"`{row}`")
    lines = [
        f"- {', '.join(rows)}, {'all' if len(numbers) == count else ', '.join(numbers)}: "
        f"{_escaped(why)}"
        for (why, numbers), rows in shared.items()
    ]
    return ["\n".join([*lines, ""])] if lines else []


def _escaped(text: str) -> str:
    """Markdown of a text from outside: one line, no markup."""
    return " ".join(text.replace("<", "&lt;").replace("*", "\\*").replace("`", "'").split())
