"""The group: help, exit codes, one line for each error, and what is imported when."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from app.cli import COMMANDS, trimtab
from app.cli.commands import looks_like_address
from tests.unit.app.cli.cli_runner import Cli
from tests.waiting import PATIENCE_S

NOBODY = "http://127.0.0.1:9"


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from app.cli import main; main(['--help']);"
        "heavy = {'textual', 'rich', 'pydantic', 'httpx', 'numpy', 'sqlite_utils', 'sqlite3'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert all(f"  {name} " in ran.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", [*COMMANDS, "screen"])
def test_every_command_takes_json_db_and_help(cli: Cli, name: str) -> None:
    command = trimtab.get_command(click.Context(trimtab), name)
    assert command is not None
    options = {word for parameter in command.params for word in parameter.opts}
    assert {"--json", "--db"} <= options
    assert command.short_help == COMMANDS.get(name, "")
    ran = cli(name, "--help")
    assert ran.code == 0
    assert "Usage: trimtab" in ran.out


def test_version(cli: Cli) -> None:
    ran = cli("--version")
    assert (ran.code, ran.out.split()[0]) == (0, "trimtab")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["shwo"], 2, "show"),
        (["show", "--last", "5"], 2, "90s, 5m, 2h"),
        (["show", "--lats", "5s"], 2, "--lats"),
        (["show", NOBODY], 3, "127.0.0.1:9"),
        (["show", "ftp://x"], 2, "ftp"),
        (["engines", NOBODY], 3, "refused"),
        (["record", NOBODY, "--for", "1s"], 3, "refused"),
        (["record", "--every", "1ms"], 2, "200ms to 60s"),
        (["knobs", "--engine", NOBODY], 3, "refused"),
        (["set", "max_num_seqs=8", "--engine", NOBODY], 3, "refused"),
        (["set", "warp_factor=9"], 2, "enable_prefix_caching"),
        (["set", "max_num_seqs"], 2, "KNOB=VALUE"),
        (["set", "max_num_seqs=many"], 2, "many"),
        (["set", "kv_cache_dtype=fp8"], 1, "swap"),
        (["set"], 2, "KNOB=VALUE"),
        (["set", "max_num_seqs=4", "max_num_seqs=5"], 2, "more than one value"),
        (["undo", "--engine", NOBODY], 3, "refused"),
        (["snapshots"], 1, "trimtab record"),
        (["compare", "a", "b"], 1, "trimtab record"),
        (["compare", "a", "a"], 2, "with itself"),
        (["stop", "nobody"], 2, "No engine is called 'nobody'"),
        (
            ["set", "max_num_seqs=8", "--engine", "nobody-here"],
            2,
            "No engine is called 'nobody-here'",
        ),
        (["swap", "x", "--engine", "nobody-here"], 2, "No engine is called 'nobody-here'"),
        (["serve", "no-such-model"], 2, "no-such-model"),
        (["traffic", NOBODY, "--for", "1s"], 3, "refused"),
        (["traffic", NOBODY, "--preset", "flood"], 2, "demo"),
        (["traffic", NOBODY, "--output", "a,b"], 2, "16,32,64"),
        (["export", "--what", "secrets"], 2, "readings"),
        ([NOBODY], 2, "terminal"),
        ([], 2, "terminal"),
        (["--db", "x", "show"], 2, "after it"),
    ],
)
def test_bad_input_gets_one_line_and_the_right_code(
    cli: Cli, words: list[str], code: int, said: str
) -> None:
    ran = cli(*words)
    assert ran.code == code, ran
    assert ran.out == ""
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("trimtab: ")
    assert said in ran.err


def test_with_json_the_error_is_an_object_on_stdout(cli: Cli) -> None:
    ran = cli("show", NOBODY, "--json")
    error = ran.json["error"]
    assert (ran.code, error["kind"], error["exit_code"]) == (3, "EngineUnreachable", 3)
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 3\0" + b"\1" * 200])
def test_a_file_that_is_no_ledger_is_left_untouched(
    cli: Cli, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "precious.db"
    path.write_bytes(content)
    for words in (["show"], ["snapshots"], ["export"], ["snapshot", "a"]):
        ran = cli(*words, "--db", str(path))
        assert ran.code == 2, ran
        assert "precious.db" in ran.err
        assert ran.err.count("\n") == 1
    assert path.read_bytes() == content
    assert [item.name for item in tmp_path.iterdir() if "precious" in item.name] == ["precious.db"]


def test_an_unforeseen_error_is_one_line_and_a_log(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("app.cli.comparing.snapshots.read_ledger", fail)
    ran = cli("snapshots")
    log = cli.data / "logs" / "errors.log"
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "ZeroDivisionError: of all things" in ran.err
    assert str(log) in ran.err
    assert "Traceback" in log.read_text()


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    code = "import sys; from app.cli.exit_codes import run;sys.exit(run(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, "")


def test_ctrl_c_ends_cleanly(tmp_path: Path) -> None:
    environment = os.environ | {"TRIMTAB_DATA_DIR": str(tmp_path)}
    code = (
        "import signal, sys, time, app.cli.comparing.snapshots as m;"
        # As in a terminal: what runs in the background may have been told to ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        # A signal in the moment before one long sleep would not end it.
        "naps = lambda: (time.sleep(0.02) for _ in range(100_000));"
        "m.read_ledger = lambda _: [print('ready', flush=True), *naps()];"
        "from app.cli import main; sys.exit(main(['snapshots']))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=PATIENCE_S)
    assert (child.returncode, err) == (130, "")


def test_the_key_is_nowhere_to_be_seen(cli: Cli) -> None:
    ran = cli("engines", NOBODY, "--api-key", "sk-very-secret", "--json")
    assert "sk-very-secret" not in ran.out + ran.err
    kept = [path.read_bytes() for path in cli.data.rglob("*") if path.is_file()]
    assert all(b"sk-very-secret" not in content for content in kept)


@pytest.mark.parametrize("word", ["http://a", "https://a:1/x", "host:8000", ":8000", "8000"])
def test_addresses_are_known_from_commands(word: str) -> None:
    assert looks_like_address(word)


@pytest.mark.parametrize("word", ["show", "engines", "tiny", "a:b", ""])
def test_names_are_no_addresses(word: str) -> None:
    assert not looks_like_address(word)


def test_error_json_is_one_document(cli: Cli) -> None:
    ran = cli("compare", "a", "b", "--json")
    assert set(json.loads(ran.out)["error"]) == {"kind", "what", "meaning", "remedy", "exit_code"}
