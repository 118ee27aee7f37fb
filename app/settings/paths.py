"""Where trimtab keeps its files, in one place.

data      the ledger, engine environments, logs: $TRIMTAB_DATA_DIR or the user's data directory
config    settings.toml: $TRIMTAB_CONFIG_DIR or the user's configuration directory
"""

from __future__ import annotations

import os
from pathlib import Path

from store.given_paths import given_path

NAME = "trimtab"
SETTINGS = "settings.toml"


def data_dir() -> Path:
    """The directory of everything trimtab stores; not created here."""
    from engines.provision import places

    return places.data_dir()


def config_dir() -> Path:
    """The directory of the settings file; not created here."""
    if directory := os.environ.get("TRIMTAB_CONFIG_DIR"):
        return given_path(directory)
    import platformdirs

    from engines.provision.places import below_home

    return below_home(lambda: platformdirs.user_config_path(NAME))


def settings_path() -> Path:
    """The settings file, which need not exist."""
    return config_dir() / SETTINGS


def default_db_path() -> Path:
    """The ledger used when no `--db` is given."""
    return data_dir() / "ledger.db"


def demo_db_path() -> Path:
    """The demo's own ledger, so that trying trimtab leaves nothing in the operator's."""
    return data_dir() / "demo.db"


def log_path(name: str) -> Path:
    """A log file by its name (`errors`, `record-…`)."""
    return data_dir() / "logs" / f"{name}.log"
