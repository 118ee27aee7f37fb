"""A swap from its order to its end: written by the supervisor, kept in the ledger, read by all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from store.reports.engine_evidence import EngineEvidence
from store.reports.fields import a_count, a_number, a_text, an_object
from store.reports.quality import QualityVerdict
from store.reports.step_line import StepLine, lines_from_json, lines_to_json

ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class StartReport:
    """How the new engine starts. `model` and `command` are what it is known by among starts
    (`store.tables.starts`), `beside` whether the old one runs meanwhile; it began `at_s` seconds
    into the swap, and each of `phases` was reached so many seconds after that."""

    model: str | None = None
    command: str | None = None
    beside: bool = False
    at_s: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> StartReport:
        """What `dataclasses.asdict` and JSON made of one."""
        phases = an_object(written.get("phases")) or {}
        numbers = ((str(name), a_number(at_s)) for name, at_s in phases.items())
        return cls(
            model=a_text(written.get("model")),
            command=a_text(written.get("command")),
            beside=written.get("beside") is True,
            at_s=a_number(written.get("at_s")),
            phases={name: at_s for name, at_s in numbers if at_s is not None},
        )


@dataclass(frozen=True, slots=True)
class SwapEvidence:
    """What verification has found; `refused` says why the new engine may not take over, '' if it
    may. `quality` is None where no verdict can be read."""

    old: EngineEvidence
    new: EngineEvidence
    quality: QualityVerdict | None
    refused: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "old": self.old.to_json(),
            "new": self.new.to_json(),
            "quality": None if self.quality is None else self.quality.to_json(),
            "refused": self.refused,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> SwapEvidence:
        """What `to_json` wrote; what is missing or of another type is unknown."""
        return cls(
            EngineEvidence.from_json(written.get("old")),
            EngineEvidence.from_json(written.get("new")),
            QualityVerdict.from_json(written.get("quality")),
            a_text(written.get("refused")) or "",
        )


@dataclass(frozen=True, slots=True)
class SwapReport:
    """A swap, asked for at `ts_ms`. `outcome` is `RUNNING`, `DONE` or `ROLLED_BACK`; `took_s`
    seconds from the plan to the end, `waited_s` those in which new connections waited."""

    id: str
    ts_ms: int
    variant: str
    strategy: str
    outcome: str
    reason: str = ""
    who: str = ""
    why: str = ""
    took_s: float | None = None
    waited_s: float | None = None
    steps: tuple[StepLine, ...] = ()
    start: StartReport | None = None
    evidence: SwapEvidence | None = None

    def details_to_json(self) -> dict[str, Any]:
        """Steps, start and evidence as plain values, those that there are."""
        details: dict[str, Any] = {"steps": lines_to_json(self.steps)}
        if self.start is not None:
            details["start"] = asdict(self.start)
        if self.evidence is not None:
            details["evidence"] = self.evidence.to_json()
        return details

    def to_json(self) -> dict[str, Any]:
        """Plain values; `took_s` only once it is over."""
        values = {name: getattr(self, name) for name in _PLAIN}
        if self.took_s is not None:
            values["took_s"] = self.took_s
        return values | self.details_to_json()

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> SwapReport:
        """What `to_json` wrote; a field that is missing or of another type is unknown."""
        texts: dict[str, Any] = {name: a_text(written.get(name)) or "" for name in _TEXTS}
        return cls(
            **texts,
            ts_ms=a_count(written.get("ts_ms")) or 0,
            took_s=a_number(written.get("took_s")),
            waited_s=a_number(written.get("waited_s")),
            **details_from_json(written),
        )


def details_from_json(written: Mapping[str, Any]) -> dict[str, Any]:
    """What `SwapReport.details_to_json` wrote, as the fields of a report."""
    start, evidence = an_object(written.get("start")), an_object(written.get("evidence"))
    return {
        "steps": lines_from_json(written.get("steps")),
        "start": None if start is None else StartReport.from_json(start),
        "evidence": None if evidence is None else SwapEvidence.from_json(evidence),
    }


_TEXTS = ("id", "variant", "strategy", "outcome", "reason", "who", "why")
_PLAIN = (*_TEXTS, "ts_ms", "waited_s")
