"""Take secrets out of argument lists and environments before anybody sees them.

The rule is to hide too much rather than too little: a name that sounds like a secret loses its
value, and so does a value that looks like one whatever its name. Of the environment only variables
that are known to be harmless keep theirs.

Any user of the host chooses what stands here, so the time it takes is bounded: a long text is cut
first, and no pattern looks at a character more than a few times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

HIDDEN = "***"
LONGEST_TEXT = 4000
"""So many characters of a text are looked at and shown; a secret at the cut is left out with it."""

_SECRET_WORDS = frozenset(
    {"secret", "secrets", "password", "passwd", "pw", "passphrase", "pass", "pwd"}
    | {"credential", "credentials", "auth", "authorization", "bearer", "cookie"}
    | {"apikey", "apikeys", "signature", "sig", "header", "headers"}
)
_SECRET_PARTS = re.compile(
    r"password|passwd|passphrase|secret|credential|webhook"
    r"|(?:api|auth|access|private|signing|encryption|account)key"
    r"|(?:api|auth|access|bearer|session|refresh|id)token"
)
"""What makes a secret of a word that it is written together with (`PGPASSWORD`, `authtoken`)."""
_SECRET_ENDINGS = frozenset({"key", "keys", "token", "pat", "dsn"})
_KNOWN = ("api-key", "hf-token")
_SHORTEST_ABBREVIATION = 4

_WORD_BREAK = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_SCHEME = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}://")
_AUTHORITY = re.compile(r"""[^/\s?#"']*""")
_WORD = re.compile(r"""[^\s"']*""")
_NAME = re.compile(
    r"""(?P<quote>\\?["']?)(?<![A-Za-z0-9_.-])(?P<name>[A-Za-z0-9_.-]+)(?P=quote)"""
    r"""\s*[:=](?!//)\s*"""
)
_VALUE = re.compile(
    r"""(?P<mark>\\["']).*?(?:\\["']|\Z)"""
    r"""|(?P<double>")(?:[^"\\]|\\.)*(?:"|\Z)|(?P<single>')(?:[^'\\]|\\.)*(?:'|\Z)"""
    r"""|\[[^\]]*(?:\]|\Z)|\{[^}]*(?:\}|\Z)|[^\s&,;}\]]+"""
)
_FLAG = re.compile(r"""(?<![^\s"'=({\[])-{1,2}(?P<name>[A-Za-z][A-Za-z0-9_.-]{0,60})\s{1,8}""")
_FLAG_VALUE = re.compile(r"""(?!-)(?:"[^"]*"|'[^']*'|[^\s"',;}\]]+)""")
"""A flag and the word after it, in a command line that is one text."""
_USER_FLAGS = frozenset({"u", "user", "proxy-user"})
"""Flags of curl and its like, whose value is a name and a password."""
_BEARER = re.compile(r"(?i)\b(?P<head>bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")
_TOKEN_SHAPES = re.compile(
    r"hf_[A-Za-z0-9]{16,}"
    r"|sk-[A-Za-z0-9_-]{16,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|nvapi-[A-Za-z0-9_-]{16,}"
    r"|A[KS]IA[0-9A-Z]{16}"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
)
_WEBHOOK = re.compile(
    r"""(?i)(?P<host>https?://(?:hooks?\.[^/\s"']*|[^/\s"']*(?=/[^\s"']*webhook)))/[^\s"']*"""
)
"""Whoever has such an address may post there: its path is the key."""
_LAST_WORD = re.compile(r"[^\s\"'=:,;&{}\[\]]*\Z")
_HARMLESS = re.compile(
    r"(?:VLLM|CUDA|NVIDIA|HIP|ROCR?|HSA|TRANSFORMERS|HF_HUB|HF_DATASETS|TORCH|TORCHINDUCTOR|PYTORCH"
    r"|NCCL|GLOO|OMP|MKL|KMP|OPENBLAS|TRITON|LD|LC|PYTHON|CONDA|LMCACHE|TRIMTAB|XDG|PIP|UV)_\w+"
    r"|PATH|PWD|OLDPWD|HOME|LANG|LANGUAGE|TERM|USER|LOGNAME|SHELL|SHLVL|TZ|TMPDIR|TMUX|TMUX_PANE|TERM_PROGRAM|TERM_PROGRAM_VERSION|HOSTNAME|EDITOR|PAGER|_"
    r"|PYTHON[A-Z]+|VIRTUAL_ENV|HF_HOME|HF_ENDPOINT|TOKENIZERS_PARALLELISM|(?:HTTPS?|NO|ALL)_PROXY"
    r"|(?:https?|no|all)_proxy"
)
"""Variables whose values may be seen, as long as nothing in them looks like a secret."""


def is_secret_name(name: str) -> bool:
    """Whether a flag, variable or JSON key of this name holds a secret.

    `--hf-token` and `OPENAI_API_KEY` do; `--max-num-batched-tokens`, `--tokenizer` and
    `--ssl-keyfile` do not. Abbreviations that argparse takes (`--api-k`) count.
    """
    words = [word.lower() for word in _WORD_BREAK.split(name) if word]
    if not words:
        return False
    dashed = "-".join(words)
    if len(dashed) >= _SHORTEST_ABBREVIATION and any(full.startswith(dashed) for full in _KNOWN):
        return True
    bare_words = [bare for word in words if (bare := word.rstrip("0123456789"))]
    if _SECRET_WORDS.intersection(words) or (bare_words and bare_words[-1] in _SECRET_ENDINGS):
        return True
    if any(map(_SECRET_PARTS.search, words)):
        return True
    return any(
        word in {"api", "access", "private"} and after == "key" for word, after in pairwise(words)
    )


def redact_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """`text` without userinfo in addresses, secret `name=value` or `"name": "value"` pairs, and
    anything shaped like a well-known kind of token; cut where it is longer than `longest`."""
    if len(text) > longest:
        return _redacted(_LAST_WORD.sub("", text[:longest])) + "…"
    return _redacted(text)


def _redacted(text: str) -> str:
    if text.startswith(("{", "[")):
        try:
            return json.dumps(_redact_json(json.loads(text)), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass  # not JSON after all: the patterns below do
    text = _hide_user_info(text)
    if "hook" in text.lower():
        text = _WEBHOOK.sub(rf"\g<host>/{HIDDEN}", text)
    text = _hide_flags(text)
    text = _BEARER.sub(rf"\g<head> {HIDDEN}", text)
    return _TOKEN_SHAPES.sub(HIDDEN, _hide_pairs(text))


def _hide_flags(text: str) -> str:
    """Hide the words after secret flags; any other word is looked through in turn."""
    pieces: list[str] = []
    position = 0
    while flag := _FLAG.search(text, position):
        pieces.append(text[position : flag.end()])
        position = flag.end()
        value = _FLAG_VALUE.match(text, position)
        name = flag["name"]
        is_login = value is not None and name in _USER_FLAGS and ":" in value[0]
        if value is not None and (is_login or is_secret_name(name)):
            pieces.append(HIDDEN)
            position = value.end()
    return "".join(pieces) + text[position:]


def _hide_user_info(text: str) -> str:
    """Hide what stands before the @ of an address; a password may hold slashes. Each word is looked
    through once, however many addresses it seems to hold."""
    pieces: list[str] = []
    position = word_end = 0
    for scheme in _SCHEME.finditer(text):
        start = scheme.end()
        if start < position:
            continue
        if start >= word_end:
            word_end = _matched_end(_WORD, text, start)
        authority_end = _matched_end(_AUTHORITY, text, start)
        at = text.rfind("@", start, authority_end)
        if at < 0 and ":" in text[start:authority_end]:
            at = text.rfind("@", start, word_end)
        if at >= 0:
            pieces += [text[position:start], HIDDEN]
            position = at
    return "".join(pieces) + text[position:]


def _matched_end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return start if found is None else found.end()


def _redact_json(value: object) -> object:
    if isinstance(value, dict):
        return {
            name: HIDDEN if inner and is_secret_name(name) else _redact_json(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_redact_json(inner) for inner in value]
    return redact_text(value) if isinstance(value, str) else value


def _hide_pairs(text: str) -> str:
    """Hide the values of secret names; a plain value is searched in turn, it may hold pairs."""
    pieces: list[str] = []
    position = 0
    while name := _NAME.search(text, position):
        pieces.append(text[position : name.end()])
        position = name.end()
        value = _VALUE.match(text, position) if is_secret_name(name["name"]) else None
        if value is not None:
            mark = value["mark"] or value["double"] or value["single"] or ""
            pieces.append(f"{mark}{HIDDEN}{mark}")
            position = value.end()
    return "".join(pieces) + text[position:]


def redact_arguments(arguments: Sequence[str], longest: int = LONGEST_TEXT) -> tuple[str, ...]:
    """An argument list with its secrets replaced by `***`, each argument cut at `longest`.

    A secret flag hides every value up to the next flag, because `--api-key` takes several.
    """
    redacted: list[str] = []
    hiding = False
    for argument in arguments:
        is_flag = argument.startswith("-") and len(argument) > 1
        if hiding and not is_flag:
            redacted.append(HIDDEN)
            continue
        name, equals, _ = argument.partition("=")
        secret = is_flag and is_secret_name(name)
        hiding = secret and not equals
        redacted.append(f"{name}={HIDDEN}" if secret and equals else redact_text(argument, longest))
    return tuple(redacted)


def redact_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables with their values replaced by `***` but for those known to be harmless; an empty
    value stays empty."""
    return {
        name: redact_text(value) if not value or _is_harmless(name) else HIDDEN
        for name, value in variables.items()
    }


def _is_harmless(name: str) -> bool:
    if name.upper().endswith(("ARGS", "COMMAND", "CMD", "OPTS")):
        return False  # a command line of somebody's, which may hold anything
    return _HARMLESS.fullmatch(name) is not None and not is_secret_name(name)
