"""The settings in force: the file where there is one, under the environment."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from app.settings import paths
from app.settings.values import ENV_PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.held_gpus import StatedGpus
    from store.metrics.prices import PriceBook


def load_settings() -> Settings:
    """The settings in force.

    Raises BadInput with the file, the line and what is allowed when the file cannot be used.
    """
    from engines.provision.places import NoHome

    try:
        where = paths.settings_path()
    except NoHome:  # no place for settings is no settings
        return Settings()
    if not where.exists() and not any(os.environ.get(name) for name in _variables()):
        return Settings()
    from app.settings.file import read_settings

    return read_settings(where)


def default_db_path() -> Path:
    """The ledger used when no `--db` is given: the setting `db`, else the user's data directory."""
    return load_settings().db or paths.default_db_path()


def price_book(settings: Settings) -> PriceBook:
    """The user's prices as the store applies them; the source names the file they came from."""
    from store.metrics.prices import PriceBook

    return PriceBook(
        prices=settings.prices,
        host_usd_per_hour=settings.host_usd_per_hour,
        source=f"your prices ({paths.SETTINGS})",
    )


def stated_gpus(settings: Settings, words: Sequence[str] = ()) -> StatedGpus:
    """Which GPUs engines hold as the settings and then `--gpus` say: `[ENGINE=]LIST` each."""
    from engines.held_gpus import StatedGpus

    pairs = [*settings.gpus.items(), *(_engine_and_list(word) for word in words)]
    return StatedGpus({_known_as(engine): listed for engine, listed in pairs})


def _engine_and_list(word: str) -> tuple[str, str]:
    engine, _, listed = word.rpartition("=")
    return engine, listed


def _known_as(engine: str) -> str:
    """An engine's name, or its address as engines go by it."""
    from engines.web.address import normalise

    return normalise(engine) if "://" in engine else engine


def _variables() -> list[str]:
    return [ENV_PREFIX + item.name.upper() for item in fields(Settings)]
