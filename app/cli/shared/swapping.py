"""What the commands that swap share: how a strategy is asked for and a step is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from app.text.output import say
from engines.variants.strategy import STRATEGIES


def strategy_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--strategy`, given as `strategy`."""
    return click.option(
        "--strategy",
        type=click.Choice(STRATEGIES),
        default="auto",
        show_default=True,
        help="Start the new engine beside the old one, or after it; auto: beside where it fits.",
    )(command)


def say_step(step: str, text: str) -> None:
    """A step of a swap, on stderr."""
    say(f"{step:10}  {text}")
