"""Change a module of vLLM when it is imported, not before: importing it here would cost every
process the time for a class that most of them never use."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from .log import say_once

Patch = Callable[[ModuleType], None]


def when_imported(name: str, patch: Patch) -> None:
    """Call `patch(module)` now, or once the module is executed. Safe to repeat for a name."""
    module = sys.modules.get(name)
    if module is not None:
        patch(module)
    elif not any(isinstance(finder, _Watcher) and finder.name == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher(name, patch))


class _Watcher(importlib.abc.MetaPathFinder):
    """Steps aside at the first import of its module and patches what it defines."""

    def __init__(self, name: str, patch: Patch) -> None:
        self.name = name
        self._patch = patch

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        try:
            self._patch_when_executed(spec)
        except Exception as error:
            say_once(f"cannot watch {fullname}", error)
        return spec

    def _patch_when_executed(self, spec: importlib.machinery.ModuleSpec | None) -> None:
        loader: Any = spec.loader if spec is not None else None
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            try:
                self._patch(module)
            except Exception as error:
                say_once(f"cannot patch {self.name}", error)

        loader.exec_module = exec_module
