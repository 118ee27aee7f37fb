"""No file imports another that imports it, however far round; imports inside functions count."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "engines", "store")


def modules(root: Path) -> dict[str, Path]:
    """Every module by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules among `known` that a file imports anywhere in it, also for types alone."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                target = whole if whole in known else base
                if target in known and target != name:
                    yield target


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """One circle as a list of names, [] where there is none."""
    done: set[str] = set()
    for start in graph:
        way: list[str] = []
        open_: list[Iterator[str]] = [iter([start])]
        while open_:
            following = next(open_[-1], None)
            if following is None:
                open_.pop()
                if way:
                    done.add(way.pop())
            elif following in way:
                return [*way[way.index(following) :], following]
            elif following not in done:
                way.append(following)
                open_.append(iter(sorted(graph[following])))
    return []


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules(ROOT)
    assert len(known) > 300
    return {name: set(imports(name, path, known)) for name, path in known.items()}


def test_no_file_imports_itself_by_way_of_others(graph: dict[str, set[str]]) -> None:
    assert circle_in(graph) == []


def test_no_room_imports_itself_by_way_of_others(graph: dict[str, set[str]]) -> None:
    """A room is a folder; a folder in it is another one."""
    known = modules(ROOT)

    def room(name: str) -> str:
        return str(known[name].parent)

    rooms: dict[str, set[str]] = {}
    for name, others in graph.items():
        above = rooms.setdefault(room(name), set())
        above |= {room(other) for other in others} - {room(name)}
    assert circle_in(rooms) == []


def test_a_circle_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a.py").write_text("def f():\n    from .b import g\n")
    (tmp_path / "store" / "b.py").write_text(
        "import typing\nif typing.TYPE_CHECKING:\n    import store.c\n"
    )
    (tmp_path / "store" / "c.py").write_text("from store import a\n")
    known = modules(tmp_path)
    graph = {name: set(imports(name, path, known)) for name, path in known.items()}
    assert circle_in(graph) == ["store.a", "store.b", "store.c", "store.a"]
