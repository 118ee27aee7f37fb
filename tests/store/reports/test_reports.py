"""Reports of swaps: what is written is read as it was; what another program wrote does no harm."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.reports.engine_evidence import EngineEvidence
from store.reports.outcomes import DONE
from store.reports.quality import QualityVerdict
from store.reports.step_line import StepLine
from store.reports.swap import StartReport, SwapEvidence, SwapReport
from store.reports.thresholds import Thresholds, thresholds_from_json

OLD = EngineEvidence("/m/a", 12, None, "half", None, None, ("K",), (("max-num-seqs", "32"),))
QUALITY = QualityVerdict(
    "fail",
    ("too far", "and more"),
    loglik_difference=-0.25,
    loglik_interval=(-0.5, 0.0),
    tokens=5980,
    identical=False,
    by_register={"code": 0.125},
    thresholds=Thresholds(max_kl=0.5),
)
REPORT = SwapReport(
    id="a",
    ts_ms=5,
    variant="int4",
    strategy="overlap",
    outcome=DONE,
    who="ada",
    why="half the memory",
    took_s=51.2,
    waited_s=0.0,
    steps=(StepLine(0.0, "plan", "to int4"), StepLine(51.2, "done")),
    start=StartReport("/m/a", "c", True, 12.1, {"loading weights": 3.5}),
    evidence=SwapEvidence(OLD, EngineEvidence("/m/b"), QUALITY, "its quality fails"),
)


@pytest.mark.parametrize(
    "report", [REPORT, SwapReport("b", 6, "start", "auto", "running")], ids=["whole", "begun"]
)
def test_it_comes_back_as_it_was(report: SwapReport) -> None:
    assert SwapReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_only_a_swap_that_is_over_says_how_long_it_took() -> None:
    assert "took_s" not in SwapReport("b", 6, "start", "auto", "running").to_json()
    assert "start" not in SwapReport("b", 6, "start", "auto", "running").to_json()
    assert REPORT.to_json()["took_s"] == 51.2


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["steps", "start", "evidence", "old", "quality", "outcome", "phases"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*REPORT.to_json()]), JSON))
def test_whatever_is_read_is_a_report_that_can_be_written(written: dict[str, Any]) -> None:
    report = SwapReport.from_json(written)
    assert SwapReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_what_can_be_no_limit_is_the_default() -> None:
    assert thresholds_from_json({"max_kl": -1, "min_tokens": "x", "new": 1}) == Thresholds()
    assert thresholds_from_json(None) is None
