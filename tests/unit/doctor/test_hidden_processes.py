"""Which mount of /proc counts where there are several, as systemd's ProtectProc= makes them."""

from __future__ import annotations

import pytest

from engines.doctor import host_checks

OPEN = "proc /proc proc rw,nosuid,relatime 0 0"
HIDDEN = "proc /proc proc rw,relatime,hidepid=invisible 0 0"


@pytest.mark.parametrize(
    ("mounts", "hidepid"),
    [([OPEN], ""), ([HIDDEN], "invisible"), ([OPEN, HIDDEN], "invisible"), ([HIDDEN, OPEN], "")],
)
def test_the_last_mount_counts(
    mounts: list[str], hidepid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_checks, "read_text", lambda _: "\n".join(mounts))
    assert host_checks.proc_hidepid() == hidepid
