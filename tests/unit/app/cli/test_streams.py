"""Standard output that is closed, full or read by nobody, and Ctrl-C of a command with --json."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S

MAIN = "import sys; from app.cli import main; sys.exit(main())"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"TRIMTAB_DATA_DIR": str(tmp_path), "TRIMTAB_CONFIG_DIR": str(tmp_path)}


def run(environment: dict[str, str], redirected: str) -> subprocess.CompletedProcess[str]:
    """`engines` in a shell, with these redirections."""
    line = f'set -o pipefail; "{sys.executable}" -c "{MAIN}" {redirected}'
    return subprocess.run(
        ["bash", "-c", line],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("command", ["doctor", "engines", "settings"])
def test_closed_standard_output_is_no_fault_of_ours(
    environment: dict[str, str], command: str
) -> None:
    ran = run(environment, f"{command} >&-")
    assert "fault in trimtab" not in ran.stderr
    assert run(environment, f"{command}").returncode == ran.returncode


def test_a_full_disk_behind_standard_output_is_told(environment: dict[str, str]) -> None:
    ran = run(environment, "doctor >/dev/full")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        "trimtab: standard output cannot be written. No space left on device"
    )


def test_a_reader_of_a_table_that_has_gone_ends_it_as_any_other(
    environment: dict[str, str],
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = (
        "import sys, app.cli.exit_codes as codes, app.text.output as output;"
        "codes._invoke = lambda _: output.print_table([('a', 'left')], [['b']]);"
        "sys.exit(codes.run([]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
    )
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, b"")


def test_ctrl_c_of_a_command_with_json_leaves_json(environment: dict[str, str]) -> None:
    code = (
        "import signal, sys, time, app.cli.comparing.snapshots as m;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "naps = lambda: (time.sleep(0.02) for _ in range(100_000));"
        "m.read_ledger = lambda _: [print('ready', flush=True, file=sys.stderr), *naps()];"
        "from app.cli import main; sys.exit(main(['snapshots', '--json']))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert child.stderr is not None
    assert child.stderr.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 130
    assert json.loads(out)["error"]["kind"] == "Interrupted"
