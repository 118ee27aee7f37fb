"""A version of vLLM that a person asks for: whether it is one, and its environment."""

from __future__ import annotations

from engines.provision.environment import Environment, find_environment, find_environments
from engines.provision.places import VLLM_VERSION, engine_kind, is_version, versions_begun
from store.errors import BadInput, NotAchieved
from store.foreign_text import printable


def checked_version(text: str) -> str:
    """The version, if it is a plain number of three parts; raises `BadInput`."""
    if is_version(text):
        return text
    raise BadInput(
        f"{printable(text, 40)!r} is no version of vLLM",
        "it takes the three numbers of a release",
        f"write it as in --version {VLLM_VERSION}",
    )


def environment_of(version: str) -> Environment:
    """The finished environment of a version.

    Raises `BadInput` for what is no version, `NotAchieved` for one that is not provisioned.
    """
    found = find_environment(version=checked_version(version))
    if found is not None:
        return found
    begun = version in versions_begun(engine_kind())
    others = ", ".join(environment.version for environment in find_environments())
    raise NotAchieved(
        f"vLLM {version} is not provisioned{' to its end' if begun else ''}",
        f"there is {others}" if others else "",
        f"run `trimtab provision --version {version}`",
    )
