"""What the checks of a version take besides the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import LiveEngine
from tests.engine.versions.findings import Teller
from tests.engine.versions.patient import PatientTrimtab


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Teller:
    return Teller(request.node)


@pytest.fixture
def trimtab(engine: LiveEngine, tmp_path: Path) -> Iterator[PatientTrimtab]:
    yield PatientTrimtab(engine, tmp_path / "l.db", {"TRIMTAB_CONFIG_DIR": str(tmp_path)})
    engine.found_again()
