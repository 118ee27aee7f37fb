"""Swaps in a ledger, as a supervisor leaves them, and offers as this machine makes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.offers.offer import Expected, Files, Offer, Offers, Room
from store.ledger.connection import Ledger
from store.records import VARIANT, Change
from store.reports.swap import SwapReport, details_from_json
from store.tables import changes, starts, swaps
from store.tables.engines import upsert_engine
from store.tables.runs import latest_run
from store.tables.starts import StartRow, TimeLeft
from tests.ui.seed import NOW_MS, Scenario

GIB = 1 << 30
MODEL = "/models/llama-70b-awq"
PHASES = {"model recognised": 4.1, "engine process started": 9.8, "loading weights": 12.3}
BEGIN = (
    (0.0, "plan", f"to llama-70b-awq: {MODEL}"),
    (0.6, "check", "asking vLLM whether it takes the arguments"),
    (7.7, "measure", "the old engine's quality"),
)
START = (
    (12.1, "start", "process 4711"),
    (16.2, "start", "model recognised"),
    (21.9, "start", "engine process started"),
    (24.4, "start", "loading weights"),
)
VERIFY = (
    (43.0, "verify", "it answers; what changed, and is it as good"),
    (48.2, "verify", "quality pass: as good"),
)
TAKEN = ((48.4, "take over", "process 4711 takes connections"),)
OLD = {
    "model": "/models/llama-70b",
    "weight_bytes": 131 * GIB,
    "quantisation": None,
    "dtype": "bfloat16",
    "asked_quantisation": None,
    "layers_quantised": None,
    "kernels": ["UnquantizedLinearMethod"],
    "limits": [["max-num-seqs", "32"]],
}
NEW = OLD | {
    "model": MODEL,
    "weight_bytes": 37 * GIB,
    "quantisation": "awq int4",
    "dtype": "half",
    "kernels": ["AWQMarlinLinearMethod", "MarlinLinearKernel"],
}
PASS = {
    "outcome": "pass",
    "reasons": [],
    "loglik_difference": -0.0283,
    "loglik_interval": [-0.0342, -0.0221],
    "top1_agreement": 0.931,
    "top1_interval": [0.924, 0.938],
    "kl": 0.0312,
    "kl_interval": [0.0288, 0.0339],
    "exact_matches_old": 8,
    "exact_matches_new": 7,
    "pairs": 8,
    "texts": 24,
    "tokens": 5980,
    "thresholds": {"max_loglik_drop": 0.05, "min_top1_agreement": 0.9, "max_kl": 0.05},
}
FAIL = PASS | {
    "outcome": "fail",
    "reasons": ["the same top token in 61.3 % (59.3 to 63.4) of positions, at least 90 % wanted"],
    "top1_agreement": 0.613,
    "top1_interval": [0.593, 0.634],
}


def steps(*lines: tuple[float, str, str]) -> list[dict[str, Any]]:
    """Lines as the supervisor writes them."""
    return [{"at_s": at_s, "step": step, "text": text} for at_s, step, text in lines]


def running(**changed: Any) -> SwapReport:
    """An overlap, 34 s after it was asked for, that loads weights."""
    start = {"model": MODEL, "command": "c", "beside": True, "at_s": 12.1, "phases": PHASES}
    row = {
        "id": "swap-2",
        "ts_ms": NOW_MS - 34_000,
        "variant": "llama-70b-awq",
        "strategy": "overlap",
        "outcome": "running",
        "who": "ada",
        "why": "half the memory",
        "evidence": {"steps": steps(*BEGIN, *START), "start": start},
    }
    columns = row | changed
    details = details_from_json(columns.pop("evidence"))
    return SwapReport(**columns, **details)


def waiting() -> SwapReport:
    """A stop-start in which connections have been waiting for 22 s."""
    start = {"model": MODEL, "command": "c", "beside": False, "at_s": 12.9, "phases": PHASES}
    told = steps(*BEGIN, (12.0, "drain", "process 4242 finishes what it has; others wait"))
    told += steps(*((at_s + 0.8, step, text) for at_s, step, text in START))
    return running(strategy="stop-start", evidence={"steps": told, "start": start})


def done(**changed: Any) -> SwapReport:
    """A finished overlap with all of its evidence, 70 s ago."""
    lines = (*BEGIN, *START, *VERIFY, *TAKEN, (48.9, "drain", "process 4242 finishes what it has"))
    row = {
        "id": "swap-1",
        "ts_ms": NOW_MS - 120_000,
        "outcome": "done",
        "took_s": 51.2,
        "waited_s": 0.0,
        "evidence": {
            "steps": steps(*lines, (51.2, "done", "llama-70b-awq serves")),
            "start": {"phases": PHASES},
            "evidence": {"old": OLD, "new": NEW, "quality": PASS, "refused": ""},
        },
    }
    return running(**row | changed)


def rolled_back(**changed: Any) -> SwapReport:
    """A stop-start whose quality failed."""
    reason = (
        "its quality fails: the same top token in 61.3 % (59.3 to 63.4) of positions, at least "
    )
    reason += "90 % wanted"
    lines = (
        *BEGIN,
        (12.0, "drain", "process 4242 finishes what it has; others wait"),
        *START,
        *VERIFY[:1],
        (48.2, "verify", "quality fail: the same top token in 61.3 % of positions"),
        (48.3, "roll back", "ending process 4711"),
        (49.0, "roll back", "starting the old engine again"),
        (80.4, "rolled back", reason),
    )
    row = {
        "id": "swap-0",
        "ts_ms": NOW_MS - 300_000,
        "strategy": "stop-start",
        "outcome": "rolled back",
        "reason": reason,
        "took_s": 80.4,
        "waited_s": 68.4,
        "evidence": {
            "steps": steps(*lines),
            "start": {"phases": PHASES},
            "evidence": {"old": OLD, "new": NEW, "quality": FAIL, "refused": reason},
        },
    }
    return running(**row | changed)


def keep(path: Path, *rows: SwapReport, learned: bool = True, url: str = Scenario().url) -> None:
    """Write the swaps; with `learned` also four earlier starts to learn from."""
    with Ledger.open(path) as ledger:
        engine_id = upsert_engine(ledger, url, Scenario().name)
        for row in rows:
            swaps.record(ledger, engine_id, row)
        for beside, took_s in ((True, 29.0), (True, 33.5), (True, 31.0), (False, 24.0)):
            if learned:
                start = StartRow(NOW_MS - 10**7, MODEL, "c", beside, took_s, PHASES)
                starts.record(ledger, engine_id, start)


def keep_change(path: Path, swap: SwapReport) -> None:
    """The change that a finished swap is."""
    assert swap.took_s is not None
    with Ledger.open(path) as ledger:
        engine_id = upsert_engine(ledger, Scenario().url, Scenario().name)
        run = latest_run(ledger, engine_id)
        assert run is not None
        end_ms = swap.ts_ms + int(1000 * swap.took_s)
        change = Change(
            swap.id,
            end_ms,
            VARIANT,
            "start",
            swap.variant,
            "applied",
            "set",
            swap.who,
            took_ms=1000 * swap.took_s,
        )
        changes.record(ledger, run.id, change)


def offer(name: str, verdict: str = "fits beside", **changed: Any) -> Offer:
    """A variant of the running engine."""
    strategy = "overlap" if verdict == "fits beside" else "stop-start"
    fields: Mapping[str, Any] = {
        "origin": "sibling",
        "note": "a checkpoint beside the running model",
        "files": Files(MODEL, 37 * GIB, "awq int4", "half", "LlamaForCausalLM"),
        "room": Room(
            "GPU 0", 37 * GIB, 44 * GIB, 60 * GIB, 140 * GIB, verdict, "44 GiB needed, 60 GiB free"
        ),
        "strategy": strategy,
        "arguments": ("--served-model-name", "llama"),
        "expected": Expected(TimeLeft(29, 33.5, 3), TimeLeft(24, 24, 1), TimeLeft(5, 7, 2)),
    }
    return Offer(name=name, **{**fields, **changed})


RUNNING = Files("/models/llama-70b", 131 * GIB, None, "bfloat16", "LlamaForCausalLM")
NOTHING_LEARNED = Expected()
FP8 = offer(
    "kv_cache_dtype=fp8",
    "fits after stop",
    origin="kv_cache",
    note="KV cache in 8 bits: more tokens in the same memory",
    files=Files("/models/llama-70b", 131 * GIB, None, "bfloat16"),
    room=Room(
        "GPU 0",
        131 * GIB,
        139 * GIB,
        60 * GIB,
        140 * GIB,
        "fits after stop",
        "139 GiB needed on GPU 0, 60 GiB free, 140 GiB once the running engine stops",
    ),
    arguments=("--kv-cache-dtype", "fp8"),
    expected=NOTHING_LEARNED,
)
TOO_LARGE = offer(
    "llama-70b-fp32",
    "does not fit",
    files=Files("/models/llama-70b-fp32", 262 * GIB, None, "float32"),
    room=Room(
        "GPU 0",
        262 * GIB,
        270 * GIB,
        60 * GIB,
        140 * GIB,
        "does not fit",
        "270 GiB needed on GPU 0, 60 GiB free, 140 GiB once the running engine stops",
    ),
)
BACK = offer("start", back=True, note="what served before the last swap, with its own command")
OFFERS = Offers(RUNNING, (offer("llama-70b-awq"), FP8, TOO_LARGE))
