"""`make versions`: make the environments, run the engine tests on each, write the table.

    python -m tests.engine.versions [V]...     these versions; without any, those of the table

Findings of versions that are not asked for stay as they are, with their date.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.engine.versions.findings import KEPT, read_all, read_found, write_found
from tests.engine.versions.table import as_markdown

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "versions.md"
VERSIONS = ("0.12.0", "0.20.2", "0.30.0", "0.32.0")
TESTS = (
    HERE.parent / "test_live_knobs.py",
    HERE.parent / "test_quality.py",
    HERE.parent / "test_supervision.py",
    HERE,
)
"""Those that hold for any version. The other engine tests are of the command line, or ask for
kernels of the version that trimtab is built for."""


def main() -> int:
    """Run them one version after the other; 1 if one could not be had or failed a test."""
    chosen = sys.argv[1:] or VERSIONS
    failed = [version for version in chosen if not tried(version)]
    PAGE.write_text(as_markdown(read_all(KEPT)), "utf-8")
    if found := read_all(KEPT, chosen):
        print(as_markdown(found))
    if failed:
        print(f"not as it should be: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def tried(version: str) -> bool:
    """Provision a version and run its tests; whether all of it went well."""
    print(f"\n== vLLM {version}", flush=True)
    provision = [sys.executable, "-m", "app", "provision", "--version", version]
    if subprocess.run(provision, check=False).returncode != 0:
        return False
    with TemporaryDirectory() as fresh:
        options = ["-m", "engine", "--vllm", version, "--findings", fresh, "--verbose"]
        command = [sys.executable, "-m", "pytest", *map(str, TESTS), *options]
        status = subprocess.run(command, check=False).returncode
        if any(Path(fresh).iterdir()):
            write_found(KEPT, read_found(Path(fresh), version))
    return status == 0


if __name__ == "__main__":
    sys.exit(main())
