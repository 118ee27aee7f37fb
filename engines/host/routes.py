"""Where this host would send a packet."""

from __future__ import annotations

import ipaddress

from engines.host.procfs import read_text


def is_on_link(address: str) -> bool:
    """Whether an IPv4 address is reached without a gateway, so that nothing sent there leaves the
    networks that this host is in itself. False where the routes cannot be read."""
    target = int(ipaddress.IPv4Address(address))
    best_route = (-1, True)
    for line in (read_text("/proc/net/route") or "").splitlines()[1:]:
        fields = line.split()
        network, gateway, mask = (_address(fields[index]) for index in (1, 2, 7))
        if target & mask == network:
            best_route = max(best_route, (mask.bit_count(), gateway != 0))
    return not best_route[1]


def _address(field: str) -> int:
    """The kernel prints the four bytes as a number of this machine's byte order."""
    return int.from_bytes(bytes.fromhex(field)[::-1], "big")
