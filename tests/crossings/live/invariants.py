"""What must hold after every cell."""

from __future__ import annotations

import sqlite3

from engines.serving import registry
from engines.serving.names import names_in_swap
from store.records import VARIANT
from store.reports.outcomes import DONE
from store.reports.swap import ROLLED_BACK
from tests.crossings.live.faults import Fault
from tests.crossings.live.host import Host, engines_now
from tests.engine.clients import Traffic
from tests.supervisors import answering
from tests.waiting import wait_until


def check(host: Host, fault: Fault, seen: Traffic, others: set[int]) -> None:
    """One engine serves under its name, requests were answered whole, nobody else's process was
    touched, nothing is left over, and the next act works."""
    done = seen.done
    wait_until(lambda: seen.done > done + 4)
    assert fault.cuts or not seen.failed, seen.failed
    assert host.bystander.poll() is None, "somebody else's process was ended"
    own = {host.name, *names_in_swap(host.name)}
    wait_until(lambda: {each.name for each in registry.list_serving()} & own == {host.name})
    wait_until(lambda: engines_now() - others == {answering(host.name).pid})
    for limit in ("8", "12"):
        host.do("set", f"max_num_seqs={limit}", "--engine", host.name)


def check_swap_told(host: Host) -> None:
    """The ledger has the swap as it came out, and a change of the variant only if it was done."""
    variant = answering(host.name).variant
    wait_until(lambda: [row[0] for row in _swaps(host)] in ([DONE], [ROLLED_BACK]))
    ((outcome, asked),) = _swaps(host)
    assert (outcome == DONE) == (variant == asked), (outcome, asked, variant)
    with sqlite3.connect(f"file:{host.db}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        changes = connection.execute("SELECT to_value FROM v_changes WHERE knob = ?", (VARIANT,))
        kept = changes.fetchall()
    assert kept == ([(asked,)] if outcome == DONE else [])


def _swaps(host: Host) -> list[tuple[str, str]]:
    with sqlite3.connect(f"file:{host.db}?mode=ro", uri=True) as connection:
        return connection.execute("SELECT outcome, variant FROM v_swaps").fetchall()
