from pathlib import Path

import pytest

from engines.quality.texts import MAX_TEXT_BYTES, Text, built_in_texts, read_texts
from store.errors import BadInput


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "texts.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_built_in_texts_are_many_of_several_registers() -> None:
    texts = built_in_texts()
    long = [text for text in texts if text.expected is None]
    assert len(long) >= 20
    assert len({text.register for text in texts}) >= 10
    assert sum(text.expected is not None for text in texts) >= 6
    assert len({text.text for text in texts}) == len(texts)


def test_a_users_texts(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '\ufeff{"prompt": "a\u2028b"}\n\n{"prompt": "2 + 2 =", "expected": " 4", "id": "sum"}\r\n',
    )
    assert read_texts(path) == (
        Text("line 1", "given", "a\u2028b"),
        Text("sum", "given", "2 + 2 =", " 4"),
    )
    assert read_texts(path)[1].whole == "2 + 2 = 4"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "not an object"),
        ("{}", "`prompt` is not a text"),
        ('{"prompt": 1}', "`prompt` is not a text"),
        ('{"prompt": ""}', "`prompt` is not a text"),
        ('{"prompt": "a", "expected": null}', "`expected` is not a text"),
        ('{"prompt": "a", "exspected": "b"}', "unknown key exspected"),
        ('{"prompt": "a", "id": "line 1"}', "the id line 1 is there already"),
        ('{"prompt": "\\ud800"}', "surrogate"),
        ('{"prompt": "' + "a" * (MAX_TEXT_BYTES + 1) + '"}', "longer than"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path, '{"prompt": "fine"}\n' + line + "\n")
    with pytest.raises(BadInput) as caught:
        read_texts(path)
    assert "line 2" in caught.value.what
    assert said in caught.value.what
    assert "prompt" in caught.value.remedy


@pytest.mark.parametrize("content", ["", "\n\n", b"\xff\xfe", b" " * (4 * 1024 * 1024 + 1)])
def test_a_file_without_texts(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(BadInput):
        read_texts(write(tmp_path, content))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_texts(tmp_path / "none.jsonl")
    with pytest.raises(BadInput, match="cannot be read"):
        read_texts(tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name/t.jsonl"])
def test_what_can_be_no_files_name_cannot_be_read(name: str) -> None:
    with pytest.raises(BadInput, match=r"cannot be (read|found)"):
        read_texts(Path(name))
