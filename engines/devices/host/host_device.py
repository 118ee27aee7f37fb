"""The host as a device: what an engine without a GPU runs on and is charged for."""

from __future__ import annotations

import hashlib
import platform
import socket

from engines.host.procfs import read_text
from store.foreign_text import printable
from store.records import Device

_MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def host_device() -> Device:
    """This machine, named by its CPU.

    Its identity is a hash: machine-id(5) asks that the id itself is not handed out.
    """
    identity = next((text for path in _MACHINE_IDS if (text := _stripped(path))), "")
    digest = hashlib.sha256(f"trimtab:{identity or socket.gethostname()}".encode()).hexdigest()
    return Device("host", f"host-{digest[:32]}", _cpu_name())


def _cpu_name() -> str:
    for line in (read_text("/proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "cpu model") and value.strip():
            return printable(" ".join(value.split()))
    return f"{platform.machine() or 'unknown'} CPU"


def _stripped(path: str) -> str:
    return (read_text(path) or "").strip()
