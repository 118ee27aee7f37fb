"""Ending processes: those that heed SIGTERM, those that do not, and none that is not meant."""

import signal
import subprocess
import sys

from engines.host import lifetime
from engines.host.ending import end_processes, those_alive

DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
HEEDS = "import time; print(flush=True); time.sleep(60)"


def start(program: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"\n"
    lifetime.adopt_child(process)
    return process


def test_who_does_not_go_when_asked_is_killed() -> None:
    deaf, heeds = start(DEAF), start(HEEDS)
    members = {one.pid: lifetime.start_ticks(one.pid) or 0 for one in (deaf, heeds)}
    killed = end_processes(members, lambda: those_alive(members), grace_s=0.5)
    assert killed == (deaf.pid,)
    assert those_alive(members) == {}
    assert (deaf.wait(5), heeds.wait(5)) == (-signal.SIGKILL, -signal.SIGTERM)


def test_a_later_process_with_the_same_pid_is_left_alone() -> None:
    process = start(HEEDS)
    earlier = {process.pid: (lifetime.start_ticks(process.pid) or 0) - 1}
    assert end_processes(earlier, lambda: those_alive(earlier), grace_s=0.1) == ()
    assert process.poll() is None
    process.kill()
    process.wait(5)
