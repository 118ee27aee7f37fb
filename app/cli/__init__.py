"""The command line: a click group whose commands are imported only when used.

main        what the `trimtab` script calls: runs the group, turns errors into one line
COMMANDS    every command with its one-line help, written once
"""

from __future__ import annotations

import sys

from app.cli.commands import COMMANDS, trimtab

__all__ = ["COMMANDS", "main", "trimtab"]


def main(arguments: list[str] | None = None) -> int:
    """Run trimtab; returns the exit code: 0 done, 1 did not hold, 2 bad usage, 3 no engine."""
    from app.cli.exit_codes import run

    return run(sys.argv[1:] if arguments is None else arguments)
