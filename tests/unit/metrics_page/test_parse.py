"""The parser against prometheus-client, which is the oracle: identical series and values."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from engines.metrics_page import NotMetrics, Parser
from engines.metrics_page.parse import REMEMBERED

PAGES = sorted((Path(__file__).parents[2] / "fixtures" / "metrics").glob("vllm-*.txt"))

Found = list[tuple[str, tuple[tuple[str, str], ...], float]]


def oracle(text: str) -> Found:
    """Samples as prometheus-client reads them, in order of the page."""
    found = []
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            found.append((sample.name, labels, float(sample.value)))
    return found


def ours(parser: Parser, text: str) -> Found:
    samples = parser.parse(text)
    return [
        (one.name, tuple(sorted(one.labels)), value)
        for one, value in zip(samples.series, samples.values, strict=True)
    ]


def same(left: Found, right: Found) -> bool:
    return len(left) == len(right) and all(
        a[:2] == b[:2] and (a[2] == b[2] or (math.isnan(a[2]) and math.isnan(b[2])))
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_same_as_oracle_on_each_page(path: Path) -> None:
    text = path.read_text()
    parser = Parser()
    assert same(ours(parser, text), oracle(text))
    assert same(ours(parser, text), oracle(text)), "a second time, from what was remembered"


name = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,12}", fullmatch=True)
label_name = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,8}", fullmatch=True)
awkward = st.one_of(
    st.text(alphabet="{}\",=\\ #\n\t'é日 1.0", max_size=12),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8),
)
number = st.one_of(
    st.integers(-(10**15), 10**15).map(str),
    st.floats(allow_nan=False).map(repr),
    st.sampled_from(["NaN", "+Inf", "-Inf", "Inf", "1e3", "1.5E-07", "-0", "00012.50", ".5", "7."]),
)
space = st.sampled_from([" ", "  ", "\t", " \t "])


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


@st.composite
def heads(draw: st.DrawFn) -> str:
    labels = draw(st.dictionaries(label_name, awkward, max_size=4))
    if not labels:
        return draw(name) + draw(st.sampled_from(["", "{}"]))
    inside = ",".join(f'{key}="{escaped(value)}"' for key, value in labels.items())
    return draw(name) + "{" + inside + draw(st.sampled_from(["", ","])) + "}"


@st.composite
def pages(draw: st.DrawFn) -> list[str]:
    """Two pages with the same series and comments, but other values, as from two scrapes."""
    beginnings = draw(st.lists(heads(), max_size=8, unique=True))
    texts: list[list[str]] = [[], []]
    for head in beginnings:
        gap = draw(space)
        ending = draw(st.sampled_from(["\n", "\n", "\r\n", " \n", "\n\n"]))
        stamp = draw(st.sampled_from(["", "", " 1700000000000"]))
        comment = draw(st.sampled_from(["", "# a comment 5\n", "#\n", "# HELP x y 1_0\n"]))
        for text in texts:
            text.append(f"{comment}{head}{gap}{draw(number)}{stamp}{ending}")
    return ["".join(text) for text in texts]


@given(pages())
def test_same_as_oracle_on_any_page(texts: list[str]) -> None:
    parser = Parser()
    for text in texts:
        if text.strip():
            assert same(ours(parser, text), oracle(text))


def test_selected_series_only() -> None:
    text = PAGES[0].read_text()
    wanted = {"vllm:prompt_tokens_total", "process_start_time_seconds"}
    expected = [found for found in oracle(text) if found[0] in wanted]
    parser = Parser(wanted)
    for _ in range(2):
        assert same(ours(parser, text), expected)


def test_memory_is_bounded() -> None:
    parser = Parser()
    for start in range(0, 20_000, 1_000):
        text = "".join(f'x{{i="{i}"}} {i}\n' for i in range(start, start + 1_000))
        assert ours(parser, text)[-1][2] == start + 999
    assert len(parser._series_by_head) <= REMEMBERED


def test_a_timestamp_is_not_the_value() -> None:
    parser = Parser()
    assert ours(parser, "x 5\n") == [("x", (), 5.0)]
    assert ours(parser, "x 5 1700000000000\n") == [("x", (), 5.0)]
    assert ours(parser, "x 6\n") == [("x", (), 6.0)]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"\x1f\x8b\x08\x00\xff\xfe", "not text"),
        (b"<!doctype html><html><body>hi</body></html>", "not a page of metrics"),
        (b"<!doctype html>\n<html>\n</html>\n", "not a page of metrics"),
        (b'{"error": {"message": "no"}}', "not a page of metrics"),
        (b'{"object": "list"}\n', "not a page of metrics"),
        (b"# HELP x y\nx 1\nx_to", "breaks off"),
        (b'x{a="1"} 1\nx{a="2', "breaks off"),
        (b'x 1\nx{a="2"} 1', "breaks off"),
        (b"x one\n", "not a page of metrics"),
        (b"x 1_000\n", "not a page of metrics"),
        (b"x\n", "not a page of metrics"),
        (b'x{a="1" 5\n', "not a page of metrics"),
        (b'x{a="1",a="2"} 5\n', "not a page of metrics"),
        (b"x 1 2 3\n", "not a page of metrics"),
    ],
)
def test_what_is_not_metrics_says_so(page: bytes, reason: str) -> None:
    with pytest.raises(NotMetrics) as caught:
        Parser().parse(page)
    assert reason in caught.value.what
    assert caught.value.what.isprintable()


def test_a_reason_holds_no_control_characters() -> None:
    with pytest.raises(NotMetrics) as caught:
        Parser().parse(b"\x1b[31mred\x07 alert!\n")
    assert caught.value.what.isprintable()
