"""Variants weighed: what each one's files tell, whether it fits, and how long it took before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.offers.all_variants import variants_of
from app.offers.expectation import verified_in
from app.offers.offer import Expected, Files, Offer, Offers, Room
from app.settings.values import Settings
from engines.cleaning.redact import redact_arguments, redact_environment
from engines.command_line.arguments import read_arguments
from engines.command_line.flags import last_value
from engines.host.processes import serve_arguments
from engines.supervisor_client.client import status
from engines.variants.estimates import estimate, running_variant, weights_of
from engines.variants.merge import merged_arguments
from engines.variants.room import room_of
from engines.variants.strategy import strategy_for
from engines.variants.variant import Variant
from store.compare.overlap_cost import traffic_kept
from store.tables.engines import find_engine
from store.tables.starts import alike, command_key, time_left
from store.tables.swaps import recent

if TYPE_CHECKING:
    from engines.engine_info import EngineInfo
    from engines.variants.checkpoint.weights import Weights
    from engines.variants.room import Room as DeviceRoom
    from store.compare.overlap_cost import TrafficKept
    from store.ledger.connection import Ledger
    from store.reports.swap import SwapReport
    from store.tables.starts import TimeLeft

_SWAPS = 10
"""So many earlier swaps tell how long a verification takes."""


class Weigher:
    """Weighs variants of one engine; reads what is free once. Without a ledger nothing is learned
    from earlier starts."""

    def __init__(self, engine: EngineInfo, ledger: Ledger | None) -> None:
        self._engine = engine
        self._ledger = ledger
        self._arguments = serve_arguments(engine.arguments) or ()
        self._rooms: list[DeviceRoom] = list(room_of(engine))
        self._swaps: list[SwapReport] = []
        self._traffic_kept: TrafficKept | None = None
        if ledger is not None and (row := find_engine(ledger, engine.url)) is not None:
            self._swaps = recent(ledger, row.id, _SWAPS)
            self._traffic_kept = traffic_kept(ledger, row.id, self._swaps)
        supervisor = None if engine.supervisor is None else status(engine.supervisor)
        self._planned_on = "" if supervisor is None else supervisor.launch_id
        self._before: tuple[str, tuple[str, ...]] | None = None
        if supervisor is not None and supervisor.before is not None:
            self._before = (supervisor.before, supervisor.before_command)
        self._verification = verified_in(self._swaps)

    def weigh(
        self, variant: Variant, *, back: bool = False, command: tuple[str, ...] | None = None
    ) -> Offer:
        """One variant; never raises. It may take as long as NVML lets it wait.

        `command` is its whole command, if it is not the running one with the variant's arguments.
        """
        weights = weights_of(variant, self._engine)
        if command is None:
            command = merged_arguments(self._arguments, variant)
        estimated = estimate(
            variant, self._engine, weights=weights, rooms=self._rooms, arguments=command
        )
        return Offer(
            name=variant.name,
            origin=variant.origin,
            note=variant.note,
            files=_files(variant, weights, command),
            room=Room(
                estimated.device,
                estimated.weights_bytes,
                estimated.memory_bytes,
                estimated.free_bytes,
                estimated.free_after_stop_bytes,
                estimated.verdict,
                estimated.reason,
            ),
            strategy=strategy_for(estimated),
            arguments=redact_arguments(variant.arguments),
            environment=tuple(redact_environment(variant.environment).items()),
            command=redact_arguments(command),
            expected=Expected(
                self._start(variant.model, command, beside=True),
                self._start(variant.model, command, beside=False),
                self._verification,
                self._traffic_kept,
            ),
            back=back,
            variant=variant,
            planned_on=self._planned_on,
        )

    def weigh_before(self) -> Offer | None:
        """What served before the last swap, as its supervisor tells; None where there was none."""
        if self._before is None:
            return None
        name, command = self._before
        model = read_arguments(command).model
        note = "what served before the last swap, with its own command"
        if model is None:
            unknown = Room(reason="its supervisor does not tell what it was")
            return Offer(
                name,
                "start",
                note,
                Files(name),
                unknown,
                "auto",
                back=True,
                planned_on=self._planned_on,
            )
        variant = Variant(name, model, origin="start", note=note)
        # The supervisor has it whole, with its secrets: nothing of it need be sent there.
        return replace(self.weigh(variant, back=True, command=command), variant=None)

    def _start(self, model: str, command: tuple[str, ...], *, beside: bool) -> TimeLeft | None:
        if self._ledger is None:
            return None
        return time_left(alike(self._ledger, model, command_key(command), beside=beside), 0.0, {})


def running_files(engine: EngineInfo) -> Files:
    """What the files of the running engine tell; where its command names no model, its own name."""
    running = running_variant(engine)
    if running is None:
        return Files(engine.model or engine.name)
    return _files(running, weights_of(running, engine), serve_arguments(engine.arguments) or ())


def offers_of(
    engine: EngineInfo, settings: Settings, ledger: Ledger | None, *, with_before: bool = False
) -> Offers:
    """Everything the engine could be swapped to; `with_before` what served before stands first.

    Raises as `variants_of` does.
    """
    variants = variants_of(engine, settings)
    weigher = Weigher(engine, ledger)
    before = weigher.weigh_before() if with_before else None
    others = [weigher.weigh(variant) for variant in variants]
    return Offers(running_files(engine), tuple(others if before is None else [before, *others]))


def _files(variant: Variant, weights: Weights, command: tuple[str, ...]) -> Files:
    """`--dtype auto` follows the model's own."""
    dtype = last_value(command, "dtype")
    return Files(
        model=variant.model,
        on_disk=weights.bytes_on_disk,
        quantisation=weights.quantisation,
        dtype=weights.dtype if dtype in (None, "auto") else dtype,
        architecture=weights.architecture,
        problem=weights.problem,
    )
