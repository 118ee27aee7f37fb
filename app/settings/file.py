"""Reading settings.toml and TRIMTAB_*; imported only when there is something to read."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import Field, FiniteFloat, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from app.settings.values import ENV_PREFIX, Settings
from store.errors import BadInput

_Price = Annotated[FiniteFloat, Field(ge=0, le=100_000)]
_LONGEST = 1_000_000
_NARROWED: dict[str, Any] = {
    "prices": dict[str, _Price],
    "host_usd_per_hour": _Price | None,
    "every": Annotated[FiniteFloat, Field(ge=0.2, le=60)],
}
"""Fields whose values are bounded more narrowly than their type says."""


def read_settings(path: Path) -> Settings:
    """The settings of `path` (which need not exist) under the environment.

    Raises BadInput with the file, the line and what is allowed.
    """
    text = _text(path)
    try:
        tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number or nesting without end
        raise BadInput(f"{path} is not TOML: {error}", remedy=_allowed()) from None
    try:
        values = dict(_model(path)())
    except ValidationError as error:
        raise BadInput(_explain(path, text, error), remedy=_allowed()) from None
    except SettingsError as error:
        raise BadInput(f"An environment variable {ENV_PREFIX}… cannot be read: {error}") from None
    return Settings(**values)


def _text(path: Path) -> str:
    if not path.exists():
        return ""
    if not path.is_file():
        raise BadInput(f"{path} is not a file")
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from None
    if len(text) > _LONGEST:
        raise BadInput(f"{path} has more than {_LONGEST} characters")
    return text


def _model(path: Path) -> type[BaseSettings]:
    class Base(BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="forbid"
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del init_settings, dotenv_settings, file_secret_settings
            return env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path)

    hints = get_type_hints(Settings)
    made: dict[str, Any] = {}
    for item in fields(Settings):
        default = (
            item.default
            if item.default_factory is MISSING
            else Field(default_factory=item.default_factory)
        )
        made[item.name] = (_NARROWED.get(item.name, hints[item.name]), default)
    return create_model("SettingsModel", __base__=Base, **made)


def _explain(path: Path, text: str, error: ValidationError) -> str:
    first = error.errors()[0]
    names = [str(part) for part in first["loc"]]
    key = ".".join(names)
    line = _line_of(text, names)
    where = f"{path}, line {line}" if line else f"{ENV_PREFIX}{key.upper()}"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        if "key" in names[-1]:
            return f"{where}: {key} is not a setting; an API key is only read from TRIMTAB_API_KEY"
        return f"{where}: {key} is not a setting"
    return f"{where}: {key}: {first['msg'].removeprefix('Value error, ')}"


def _line_of(text: str, names: list[str]) -> int | None:
    """The line that sets the key: its last name if it stands at a line's start, else its table."""
    for name in reversed(names):
        quoted = re.escape(name)
        pattern = re.compile(rf"^\s*(?:\[\s*)?[\"']?{quoted}[\"']?\s*(?:\.|=|\])")
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.match(line):
                return number
    return None


def _allowed() -> str:
    names = ", ".join(item.name for item in fields(Settings))
    return f"Allowed are {names}; or remove the file"
