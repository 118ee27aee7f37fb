"""The texts that engines are compared on: a small set of our own, or the user's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.errors import BadInput
from store.foreign_text import printable
from store.given_paths import given_path

BUILT_IN = Path(__file__).with_name("texts.jsonl")
MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_TEXTS = 1_000
MAX_TEXT_BYTES = 4_000
"""An engine holds the logits of a whole vocabulary for every token of a text that it scores:
1,000 tokens of a vocabulary of 150,000 are 0.6 GB, which an engine in service must not be asked."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text, or a prompt and the answer `expected` to follow it exactly as joined."""

    id: str
    register: str
    text: str
    expected: str | None = None

    @property
    def whole(self) -> str:
        """What is scored: the prompt with its answer."""
        return self.text + (self.expected or "")


def built_in_texts() -> tuple[Text, ...]:
    """The texts shipped with the program, in several registers and languages."""
    return read_texts(BUILT_IN)


def read_texts(path: Path) -> tuple[Text, ...]:
    """The texts of a JSONL file: `{"prompt": ...}` or `{"prompt": ..., "expected": ...}` a line.

    `id` and `register` may be given. Raises BadInput with the number of the line.
    """
    try:
        path = given_path(path)
    except RuntimeError:
        raise BadInput(f"{path} cannot be read: nobody has that home") from None
    texts: dict[str, Text] = {}
    for number, line in enumerate(_content(path).split("\n"), start=1):
        if line.strip():
            text = _read_line(line, number, path)
            if text.id in texts:
                raise _bad_line(path, number, f"the id {text.id} is there already")
            texts[text.id] = text
        if len(texts) > MAX_TEXTS:
            raise _bad_line(path, number, f"more than {MAX_TEXTS} texts")
    if not texts:
        raise BadInput(f"{path} has no texts", remedy='a line is {"prompt": "..."}')
    return tuple(texts.values())


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise BadInput(f"{path} is larger than {MAX_FILE_BYTES} bytes")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8") from None


def _read_line(line: str, number: int, path: Path) -> Text:
    try:
        fields: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise _bad_line(path, number, "not JSON") from None
    if not isinstance(fields, dict):
        raise _bad_line(path, number, "not an object")
    unknown_keys = fields.keys() - {"prompt", "expected", "id", "register"}
    if unknown_keys:
        raise _bad_line(path, number, f"unknown key {printable(min(unknown_keys), 40)}")
    wrong_keys = [key for key, value in fields.items() if not isinstance(value, str) or not value]
    if wrong_keys or "prompt" not in fields:
        raise _bad_line(
            path, number, f"`{wrong_keys[0] if wrong_keys else 'prompt'}` is not a text"
        )
    text = Text(
        id=printable(fields.get("id", f"line {number}"), 60),
        register=printable(fields.get("register", "given"), 60),
        text=fields["prompt"],
        expected=fields.get("expected"),
    )
    try:
        size = len(text.whole.encode())
    except UnicodeEncodeError:
        raise _bad_line(path, number, "half a surrogate pair is no character") from None
    if size > MAX_TEXT_BYTES:
        raise _bad_line(path, number, f"longer than {MAX_TEXT_BYTES} bytes")
    return text


def _bad_line(path: Path, number: int, problem: str) -> BadInput:
    return BadInput(
        f"{path}, line {number}: {problem}",
        remedy='A line is {"prompt": "..."} or {"prompt": "...", "expected": "..."}',
    )
