"""Reads one frame out of an open ledger, in the feed's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.offers.expectation import start_left
from app.tui.drawing.changes import short
from app.tui.feed.card_lines import read_card_lines
from app.tui.feed.frame import Frame, Mark, Query
from app.tui.feed.series import SeriesCache
from store.knobs.specs import in_order
from store.metrics.account import WindowAccount, account_of
from store.metrics.formats import three_digits
from store.reports.outcomes import RUNNING
from store.tables import changes, engines, events, knobs, recorders, runs, swaps
from store.tables.doubts import DEVICES
from store.windows.window import read_window

if TYPE_CHECKING:
    from app.tui.feed.impacts import ImpactCache
    from store.ledger.connection import Ledger
    from store.metrics.prices import PriceBook
    from store.records import Change, EngineRow, RunRow

_CHANGES = 60
_EVENTS = 60
_SWAPS = 5


class FrameReader:
    """Reads frames; keeps the chart values and the letters of changes between two reads."""

    def __init__(self, ledger: Ledger, prices: PriceBook, impacts: ImpactCache) -> None:
        self._ledger = ledger
        self._prices = prices
        self._impacts = impacts
        self._series: dict[tuple[int, int], SeriesCache] = {}
        self._letters: dict[str, str] = {}
        self._until: dict[int, int] = {}

    def read(self, query: Query, now_ms: int, *, charts: bool = True) -> Frame:
        """The frame of `query` at `now_ms`, all of one moment of the ledger. Without `charts` it is
        quick: the first frame, while the series is not read yet."""
        with self._ledger.consistent():
            known = tuple(engines.list_engines(self._ledger))
            engine = _chosen(known, query.engine)
            if engine is None:
                return Frame(now_ms, query.range, engines=known)
            run = runs.latest_run(self._ledger, engine.id)
            return self._frame(query, now_ms, known, engine, run, charts=charts)

    def _frame(
        self,
        query: Query,
        now_ms: int,
        known: tuple[EngineRow, ...],
        engine: EngineRow,
        run: RunRow | None,
        *,
        charts: bool,
    ) -> Frame:
        ledger = self._ledger
        until_ms = self._last_read(run)
        window = (
            None
            if until_ms is None
            else read_window(ledger, engine.id, until_ms - query.range.window_ms, until_ms)
        )
        account = None if window is None else account_of(ledger, window, self._prices)
        values = {} if account is None else account.values
        listed = tuple(changes.list_changes(ledger, engine.id, limit=_CHANGES))
        ids = set() if run is None else changes.ids_in_run(ledger, run.id, _CHANGES)
        of_this_run = [change for change in listed if change.id in ids]
        applied = [change for change in reversed(listed) if change.took_effect]
        letters = self._name(applied)
        series = None
        if charts and until_ms is not None:
            times = [change.ts_ms for change in applied]
            series = self._cache(engine.id, query.range.slot_ms).update(ledger, until_ms, times)
        impact = None
        if charts and applied and applied[-1].id in ids:
            impact = self._impacts.of(ledger, engine.id, applied[-1], now_ms)
        made = tuple(swaps.recent(ledger, engine.id, _SWAPS))
        running = made and made[0].outcome == RUNNING
        return Frame(
            now_ms,
            query.range,
            engines=known,
            engine=engine,
            run=run,
            recorder=recorders.live(ledger, engine.id, now_ms),
            until_ms=until_ms,
            runs=1 if window is None else window.runs,
            metrics=values,
            unknown={} if account is None else account.unknown,
            idle=account is not None and values["requests"] == 0 and not values["running_mean"],
            prices="" if account is None else _prices(account),
            series=series,
            marks=tuple(Mark(c.ts_ms, letters[c.id], short(c)) for c in applied),
            letters=letters,
            knobs=()
            if run is None
            else changes.with_leases(in_order(knobs.current(ledger, run.id)), of_this_run, now_ms),
            changes=listed,
            impact=impact,
            events=tuple(events.recent(ledger, engine.id, _EVENTS)),
            swaps=made,
            start_left=start_left(ledger, made[0], now_ms) if running else None,
            cards=read_card_lines(ledger, engine.id, until_ms) if _is_local(run) else (),
        )

    def _last_read(self, run: RunRow | None) -> int | None:
        """The last reading; that of the run before while a new one, as after a swap, has none."""
        if run is None:
            return None
        if run.last_ms is not None:
            self._until[run.engine_id] = run.last_ms
        return self._until.get(run.engine_id)

    def _cache(self, engine_id: int, slot_ms: int) -> SeriesCache:
        key = (engine_id, slot_ms)
        if key not in self._series:
            self._series[key] = SeriesCache(engine_id, slot_ms, self._prices)
        return self._series[key]

    def _name(self, applied: Sequence[Change]) -> dict[str, str]:
        """Letters A, B, … Z, A, … in the order in which changes took effect."""
        for change in applied:
            if change.id not in self._letters:
                self._letters[change.id] = chr(ord("A") + len(self._letters) % 26)
        return {change.id: self._letters[change.id] for change in applied}


def _is_local(run: RunRow | None) -> bool:
    """Whether the engine runs where it is recorded: the cards in the ledger are of that host."""
    return run is not None and run.info.pid is not None


def _prices(account: WindowAccount) -> str:
    """What an hour of the engine costs and who says so, or why nobody knows."""
    cost = account.cost
    if cost.allocated_usd is None:
        return account.doubts.get(DEVICES, cost.reason)
    hours = max((line.hours for line in cost.devices), default=0.0)
    if hours <= 0:
        return ""
    sources = {line.price.source for line in cost.devices if line.price is not None}
    shared = "".join(
        f" ({text})" for text in sorted({t for d in account.devices for t in d.shared})
    )
    rate = three_digits(cost.allocated_usd / hours)
    return f"at ${rate}/h{shared}, {'; '.join(sorted(sources))}"


def _chosen(known: Sequence[EngineRow], wanted: int | str | None) -> EngineRow | None:
    """The engine asked for and no other, which keys would turn; the first that answers, or the
    first, where none was."""
    if wanted is not None:
        fitting = (row for row in known if wanted in (row.id, row.name, row.url))
        return next(fitting, None)
    alive = [engine for engine in known if engine.state == "ok"]
    return next(iter(alive or known), None)
