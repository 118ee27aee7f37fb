"""Options that commands share, declared once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from app.text.durations import parse_duration
from app.text.output import say
from store.errors import BadInput, NotAchieved, TrimtabError
from store.foreign_text import remark

if TYPE_CHECKING:
    from store.ledger.connection import Ledger

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")

db_option = click.option(
    "--db",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The ledger to use instead of the default one.",
)

engine_option = click.option(
    "--engine", metavar="NAME|URL", help="The engine, where there are several."
)


gpus_option = click.option(
    "--gpus",
    multiple=True,
    metavar="[ENGINE=]LIST",
    help="The GPUs that an engine holds, where that cannot be seen: 0,1, UUIDs, or none.",
)


def _header_value(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A key as a header can hold it: what a file or a shell left around it is not part of it."""
    key = (value or "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise BadInput(
            "The API key has a character that no HTTP header can hold",
            "a key is printable ASCII without spaces",
            "look at --api-key and TRIMTAB_API_KEY",
        )
    return key or None


api_key_option = click.option(
    "--api-key",
    metavar="KEY",
    envvar="TRIMTAB_API_KEY",
    callback=_header_value,
    show_envvar=True,
    help="The engine's API key; never stored. Prefer the variable: others can see your arguments.",
)


def remark_option(name: str, text: str) -> Callable[[F], F]:
    """An option that takes a remark; characters that deceive a reader are replaced at once."""

    def clean(_: click.Context, __: click.Parameter, value: str) -> str:
        return remark(value)

    return click.option(name, default="", metavar="TEXT", callback=clean, help=text)


def common(function: F) -> F:
    """`--json` and `--db`, which every command takes."""
    return db_option(json_option(function))


def duration_option(*names: str, text: str, default: str | None = None) -> Callable[[F], F]:
    """An option that reads a duration and gives seconds (a float, or None without a default)."""
    return click.option(
        *names,
        type=parse_duration,
        metavar="DURATION",
        default=default,
        show_default=default is not None,
        help=text,
    )


def command(
    name: str, *, ignore_unknown_options: bool = False, epilog: str | None = None
) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare the function as the command `name`; its docstring is the long help, which `epilog`
    ends."""
    from app.cli.commands import COMMANDS

    settings = {"ignore_unknown_options": ignore_unknown_options}
    return click.command(
        name, short_help=COMMANDS.get(name, ""), context_settings=settings, epilog=epilog
    )


def open_ledger(db: Path | None) -> Ledger:
    """The ledger at `--db` or the default one, made where it is not there; a context manager."""
    from app.settings.load import default_db_path
    from store.ledger.connection import Ledger

    return Ledger.open(db or default_db_path())


def read_ledger(db: Path | None) -> Ledger:
    """The ledger for reading only; raises NotAchieved where nothing has been recorded yet."""
    from app.settings.load import default_db_path
    from store.ledger.connection import Ledger

    path = db or default_db_path()
    if not path.exists():
        raise NotAchieved(
            f"Nothing has been recorded: there is no {path}",
            remedy="trimtab record records in the background",
        )
    return Ledger.open(path, readonly=True)


def end_with(error: TrimtabError) -> NoReturn:
    """End the command with the error's line and exit code, after its result has been printed."""
    say(f"trimtab: {error}")
    raise click.exceptions.Exit(error.exit_code)
