"""Running the group: every way a command can end becomes an exit code and at most one line."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from datetime import datetime

import click

from app.cli.commands import trimtab
from app.settings import paths
from app.text.encoding import take_what_can_be_written
from app.text.interrupted import INTERRUPTED, Interrupted
from app.text.output import error_json, print_json, say
from store.errors import BadInput, NotAchieved, TrimtabError
from store.foreign_text import printable
from store.private_files import open_log

PIPE_CLOSED = 141
"""What a shell calls a program that SIGPIPE ended."""
_OF_A_STREAM = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT)
_LONGEST_PATH = 200
_OF_A_PATH = frozenset(
    {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM}
    | {errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ESTALE}
)
"""What is wrong with a path that was given, or with its disk, and not with trimtab."""


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; raises nothing."""
    as_json = "--json" in arguments
    _open_standard_streams()
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_stdout()
        return PIPE_CLOSED
    except (KeyboardInterrupt, click.Abort):
        return _tell(Interrupted("Interrupted"), as_json=True) if as_json else INTERRUPTED
    except OSError as error:
        if error.filename is not None or error.errno not in _OF_A_STREAM:
            return _tell(_known(error), as_json)
        _let_go_of_stdout()
        return _tell(NotAchieved("standard output cannot be written", error.strerror or ""), False)
    except Exception as error:  # the last resort: one line on screen, the rest in a file
        return _tell(_known(error), as_json)
    return code


def _invoke(arguments: list[str]) -> int:
    if "_TRIMTAB_COMPLETE" in os.environ:  # a shell asks for completions
        trimtab.main(args=arguments, prog_name="trimtab")
    try:
        with trimtab.make_context("trimtab", arguments) as context:
            trimtab.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return 0


def _open_standard_streams() -> None:
    """Whoever started us may have closed them: what is written there then goes nowhere."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            stream = os.fdopen(number, "r" if number == 0 else "w", closefd=False)
            setattr(sys, name, stream)
    take_what_can_be_written(sys.stdout, sys.stderr)


def _known(error: Exception) -> TrimtabError:
    if isinstance(error, TrimtabError):
        return error
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "trimtab"
        return BadInput(error.format_message(), remedy=f"{command} --help shows how")
    if isinstance(error, click.ClickException):
        return BadInput(error.format_message())
    if isinstance(error, OSError) and error.errno in _OF_A_PATH and error.filename is not None:
        name = printable(os.fsdecode(error.filename), _LONGEST_PATH)
        return NotAchieved(f"{name} cannot be used", os.strerror(error.errno))
    return _Unexpected(error)


class _Unexpected(TrimtabError):
    """An error nobody foresaw; its traceback is in a log file."""

    def __init__(self, error: Exception) -> None:
        first = (str(error).splitlines() or [""])[0][:200]
        super().__init__(
            f"Unexpected {type(error).__name__}{': ' + first if first else ''}",
            "This is a fault in trimtab",
            _keep_traceback(error),
        )


def _keep_traceback(error: Exception) -> str:
    try:
        path = paths.log_path("errors")
        with io.TextIOWrapper(open_log(path), encoding="utf-8", errors="replace") as log:
            log.write(f"--- {datetime.now().astimezone().isoformat()}\n")
            log.writelines(traceback.format_exception(error))
    except Exception as reason:  # what failed may be what finds the log's place
        return f"Its log could not be written: {reason}"
    return f"The details are in {path}"


def _tell(error: TrimtabError, as_json: bool) -> int:
    try:
        if as_json:
            print_json(error_json(error))
        say(f"trimtab: {error}")
    except OSError:
        _let_go_of_stdout()
    return error.exit_code


def _let_go_of_stdout() -> None:
    # Whatever is still buffered has no reader; without this the interpreter complains at exit.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
