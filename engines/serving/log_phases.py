"""How far a start has got, as the engine's log tells."""

from __future__ import annotations

from pathlib import Path

PHASES: tuple[tuple[str, str], ...] = (
    ("Resolved architecture", "model recognised"),
    ("Initializing a V1 LLM engine", "engine process started"),
    ("Starting to load model", "loading weights"),
    ("Loading weights took", "weights loaded"),
    ("KV cache size", "cache allocated"),
    ("Capturing CUDA graphs", "capturing CUDA graphs"),
    ("init engine", "engine ready"),
    ("Application startup complete", "serving"),
)
"""A piece of vLLM's log line, and what it means, in the order they come; some may be left out."""
_MAX_READ = 1 << 20


def has_served(log: Path) -> bool:
    """Whether the engine that writes this log has got so far as to take requests."""
    phases, read = LogPhases(log), -1
    while (furthest := phases.advance()) < len(PHASES) and phases.offset > read:
        read = phases.offset
    return furthest == len(PHASES)


class LogPhases:
    """Reads what is new in a growing log and knows the furthest phase in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._index = 0

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._offset

    def advance(self) -> int:
        """Read on; the index of the furthest phase, 0 before the first."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read(_MAX_READ)
        except OSError:
            return self._index
        whole_lines, newline, _ = text.rpartition(b"\n")
        if not newline and len(text) < _MAX_READ:
            return self._index
        self._offset += len(whole_lines) + len(newline) if newline else len(text)
        content = whole_lines.decode("utf-8", "replace")
        for index, (phrase, _) in enumerate(PHASES, 1):
            if index > self._index and phrase in content:
                self._index = index
        return self._index
