"""The page says what the files hold, and tells what cannot be done from what failed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from tests.engine.versions.__main__ import PAGE
from tests.engine.versions.findings import (
    KEPT,
    Finding,
    Found,
    Teller,
    findings_of,
    read_all,
    read_found,
    write_found,
)
from tests.engine.versions.table import as_markdown


def found(version: str, *findings: Finding) -> Found:
    made = Found(version, "2026-11-27", "x86_64", tests={"a": "passed", "b": "failed"})
    for finding in findings:
        made.add(finding)
    return made


def test_the_page_in_docs_is_what_was_found() -> None:
    assert PAGE.read_text("utf-8") == as_markdown(read_all(KEPT))


def test_a_cell_and_why_by_version() -> None:
    page = as_markdown(
        [
            found("0.12.0", Finding("variants", "weights in 4 bits", "does not load", "no <op>|x")),
            found(
                "0.32.0",
                Finding("variants", "weights in 4 bits", "serves"),
                Finding("knobs", "max_num_seqs", "live, 1 to 32"),
            ),
        ]
    )
    assert "|  | 0.12.0 | 0.32.0 |" in page
    assert "| weights in 4 bits | does not load | serves |" in page
    assert "- weights in 4 bits, 0.12.0: no &lt;op>|x" in page
    assert "| batch size (`max_num_seqs`) | not tried | live, 1 to 32 |" in page
    assert "| engine tests | 1 passed, 1 failed | 1 passed, 1 failed |" in page


def test_metrics_that_share_a_reason_stand_together() -> None:
    gpu = "no GPU of this engine was watched"
    cells = [Finding("metrics", name, "–", gpu) for name in ("energy_j", "gpu_memory_bytes")]
    page = as_markdown([found("0.12.0", *cells), found("0.32.0", *cells)])
    assert f"- `energy_j`, `gpu_memory_bytes`, all: {gpu}" in page


def test_findings_are_kept_beside_earlier_ones_in_the_order_of_versions(tmp_path: Path) -> None:
    for version in ("0.32.0", "0.9.2"):
        write_found(tmp_path, found(version, Finding("knobs", "max_num_seqs", "live")))
    again = read_found(tmp_path, "0.9.2")
    again.add(Finding("swaps", "overlap", "no request lost", "8 s"))
    write_found(tmp_path, again)
    assert [one.version for one in read_all(tmp_path)] == ["0.9.2", "0.32.0"]
    assert read_all(tmp_path, ["0.9.2", "0.1.0"]) == [again]
    assert again.cells["knobs"] == {"max_num_seqs": ("live", "")}


def test_what_a_failed_check_told_is_a_failure() -> None:
    node = SimpleNamespace(user_properties=[("other", 1)])
    Teller(node)("swaps", "overlap", "no request lost")  # type: ignore[arg-type]
    (fine,) = findings_of(node.user_properties, "passed")
    assert fine == Finding("swaps", "overlap", "no request lost")
    (failed,) = findings_of(node.user_properties, "failed")
    assert (failed.row, failed.words) == ("overlap", "FAILED")
