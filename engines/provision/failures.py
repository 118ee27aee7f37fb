"""What went wrong while an engine was provisioned, and what a person does about it."""

from __future__ import annotations

import platform
import re
import shutil
from pathlib import Path

from engines.cleaning.outputs import clean_line
from engines.provision.places import is_version
from store.errors import NotAchieved
from store.foreign_text import printable


class ProvisionFailed(NotAchieved):
    """The engine environment could not be made. What is already done stays done."""


AGAIN = "then run the same command again: it goes on where it stopped"

_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|Errno (28|122)\b")
_NO_NETWORK = re.compile(
    r"after connection broken by|Failed to establish a new connection|name resolution"
    r"|Name or service not known|Network is unreachable|Read timed out|ConnectTimeout"
    r"|Connection refused|Connection reset|ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED"
    r"|IncompleteRead|ProtocolError"
)
_REFUSED = re.compile(r"\b(?P<status>401|403|407|429|5\d\d) (Client|Server) Error")
_OTHER_PYTHON = re.compile(r"requires a different Python|Requires-Python")
_NO_MATCH = re.compile(r"No matching distribution found for (?P<what>\S+)")
_FROM_VERSIONS = re.compile(r"\(from versions: (?P<versions>[0-9][^)]*)\)")
_DAMAGED = re.compile(r"DO NOT MATCH THE HASHES|BadZipFile|is invalid or corrupt|invalid wheel")
_FORBIDDEN = re.compile(r"Permission denied|Errno 13\b|Read-only file system|Errno 30\b")
_NO_VENV = re.compile(r"ensurepip is not available|No module named '?(venv|ensurepip)")


def explain(doing: str, output: str, status: int, log: Path) -> ProvisionFailed:
    """The failure of a command with its output and exit status (negative: ended by a signal)."""
    failure = f"{doing} failed"
    if _NO_SPACE.search(output):
        return ProvisionFailed(failure, "no space is left on the disk", f"free some, {AGAIN}")
    if _NO_VENV.search(output):
        return ProvisionFailed(
            failure,
            "this Python has no venv module",
            f"install it (Debian and Ubuntu: `apt install python3-venv`), {AGAIN}",
        )
    if _DAMAGED.search(output):
        return ProvisionFailed(
            failure, "a download is damaged", f"run `python3 -m pip cache purge`, {AGAIN}"
        )
    if _NO_NETWORK.search(output):
        return ProvisionFailed(
            failure,
            "a package index cannot be reached",
            f"check the network, proxy and pip's index settings (`pip config list`), {AGAIN}",
        )
    if refusal := _REFUSED.search(output):
        return ProvisionFailed(
            failure,
            f"a package index refuses with HTTP {refusal['status']}",
            f"check pip's index settings (`pip config list`), {AGAIN}",
        )
    if no_match := _NO_MATCH.search(output):
        requirement = printable(no_match["what"], 80)
        if requirement.startswith("vllm") and (listed := _FROM_VERSIONS.search(output)):
            return _no_such_version(failure, requirement, listed["versions"])
        remedy = _PLATFORMS if requirement.startswith(_BUILT) else _ANYWHERE
        return ProvisionFailed(failure, _no_wheel(requirement, output), remedy)
    if _FORBIDDEN.search(output):
        return ProvisionFailed(
            failure, "a file may not be written", f"check who owns {log.parent.parent}, {AGAIN}"
        )
    if status < 0:
        return ProvisionFailed(
            failure, f"it was ended by signal {-status} (9: often out of memory)", f"see {log}"
        )
    return ProvisionFailed(failure, _last_error(output), f"see {log}")


_PLATFORMS = (
    "wheels exist for Linux on x86-64 and arm64 with Python 3.11 to 3.13: run trimtab with one of"
    " those, or attach it to an engine elsewhere with `trimtab URL`"
)

_ANYWHERE = (
    "PyPI has it, for any host: see with `pip config list` which indexes are asked instead,"
    f" {AGAIN}"
)
_SHOWN_VERSIONS = 8
_BUILT = ("torch", "vllm")
"""Packages that are built for a platform; those asked for besides are Python and data alone."""


def _no_wheel(requirement: str, output: str) -> str:
    host = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    if _OTHER_PYTHON.search(output):
        return f"{requirement} is not made for this Python ({host})"
    return f"the package indexes have no {requirement} for this host ({host})"


def _no_such_version(failure: str, requirement: str, listed: str) -> ProvisionFailed:
    """pip lists the versions that there are for this host, the oldest first."""
    versions = [version for version in listed.split(", ") if is_version(version)]
    meaning = f"the package indexes have no {requirement} for this host"
    if not versions:
        return ProvisionFailed(failure, meaning, _PLATFORMS)
    older = ", or an older one" if len(versions) > _SHOWN_VERSIONS else ""
    return ProvisionFailed(
        failure,
        f"{meaning}, but others ({versions[0]} to {versions[-1]})",
        f"give --version one of {', '.join(versions[-_SHOWN_VERSIONS:])}{older}",
    )


def _last_error(output: str) -> str:
    """The last line that says what is wrong, else the last line at all."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"(?i)error\b|\w*(Error|Exception)\b", line)]
    error_line = (telling or lines or ["it said nothing"])[-1]
    return clean_line(error_line)


def require_space(directory: Path, needed_bytes: int) -> None:
    """Raise `ProvisionFailed` where the disk that holds `directory` has less space than needed."""
    existing = directory
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        free = shutil.disk_usage(existing).free
    except OSError:
        return
    if free < needed_bytes:
        raise ProvisionFailed(
            f"not enough disk space in {existing}",
            f"{needed_bytes / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free",
            f"free some, or set TRIMTAB_DATA_DIR to a larger disk, {AGAIN}",
        )
