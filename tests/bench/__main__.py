"""`make bench`: every bench of this folder, one after the other, each in a process of its own.

    python -m tests.bench [NAME]...     only these: screen, parse, …

A bench prints what it measured beside the aim; nothing here passes or fails by a time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run them; 1 if one could not be run."""
    names = sys.argv[1:] or sorted(path.stem[6:] for path in HERE.glob("bench_*.py"))
    failed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-m", f"tests.bench.bench_{name}"]
        if subprocess.run(command, check=False).returncode != 0:
            failed.append(name)
    if failed:
        print(f"\ncould not be run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
