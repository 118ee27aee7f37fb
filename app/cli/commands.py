"""The click group: its table of commands, lazy loading, and the screen as what no command means."""

from __future__ import annotations

from importlib import import_module

import click

from store.errors import BadInput

_COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("running", "A real vLLM with traffic on this machine, and the screen on it."),
    "engines": (
        "watching",
        "List the engines found on this machine, and what can be changed on each.",
    ),
    "show": ("watching", "Print one window's metrics."),
    "knobs": ("changing", "List the knobs of an engine with bounds and values."),
    "set": ("changing", "Change knobs on a running engine."),
    "undo": ("changing", "Take back the last change."),
    "variants": ("changing", "List what an engine could be swapped to, and whether it fits."),
    "swap": ("changing", "Swap an engine for a variant of it, and back if it does not hold."),
    "snapshot": ("comparing", "Name a window of the recent past, with its configuration."),
    "snapshots": ("comparing", "List the snapshots in the ledger."),
    "compare": (
        "comparing",
        "Compare a snapshot with another, or with now.",
    ),
    "record": ("watching", "Record engines into the ledger without a screen."),
    "export": ("watching", "Write the ledger as CSV, JSON lines or Prometheus text."),
    "serve": ("running", "Start vLLM with the live knobs loaded."),
    "adopt": ("running", "Put a running engine under trimtab's supervisor."),
    "stop": ("running", "Stop an engine that `serve` started."),
    "traffic": ("running", "Send load to an engine when there are no users."),
    "provision": ("running", "Make the engine environment and the demo models; safe to repeat."),
    "doctor": ("running", "Say what is wrong with this host and how to mend it."),
}
"""Every command with the folder of app/cli that holds its file, and its one-line help."""

COMMANDS: dict[str, str] = {name: text for name, (_, text) in _COMMANDS.items()}
"""Every command with its one-line help. The code is `command_` in app/cli/FOLDER/NAME.py."""

SCREEN = "screen"
"""The hidden command that runs when there is none: the TUI."""

_MODULES = {"set": "set_"}
"""Files whose name is not the command's: `set` is a type of Python's."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is used, not for the list of commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the table's order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command by name, or None."""
        del ctx
        if cmd_name not in COMMANDS and cmd_name != SCREEN:
            return None
        folder = "watching" if cmd_name == SCREEN else _COMMANDS[cmd_name][0]
        module = import_module(f"app.cli.{folder}.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command_
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """With no command, or addresses only, the command is the screen."""
        first = args[0] if args else ""
        if not first or looks_like_address(first) or self._is_screen_option(first):
            args = [SCREEN, *args]
        return super().parse_args(ctx, args)

    def _is_screen_option(self, word: str) -> bool:
        return word.startswith("-") and word not in ("--help", "-h", "--version")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest commands when one is unknown."""
        name = args[0]
        if name not in COMMANDS and name != SCREEN:
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, n=3)
            raise BadInput(
                f"There is no command {name!r}",
                f"Did you mean {' or '.join(near)}?" if near else "",
                "trimtab --help lists them; an engine's address starts with http://",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def looks_like_address(word: str) -> bool:
    """Whether a word is an engine's address (http://host, host:8000, 8000), not a name."""
    _, colon, port = word.partition(":")
    number = (port if colon else word).split("/")[0]
    return "://" in word or number.isdigit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command: the screen, on the engines of this machine or on the given URLs.",
)
@click.version_option(package_name="trimtab", message="trimtab %(version)s")
def trimtab() -> None:
    """See what a vLLM engine costs, turn one knob live, and know what it did.

    \b
    trimtab                     the screen on all engines of this machine
    trimtab http://host:8000    the screen on this engine
    """
