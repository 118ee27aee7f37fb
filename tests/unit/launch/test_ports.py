"""Ports are chosen by taking them."""

import socket
import threading

from engines.launch.ports import take_port
from tests.waiting import PATIENCE_S


def test_a_port_is_taken_in_the_moment_when_it_is_chosen() -> None:
    start, taken = threading.Barrier(8), list[socket.socket]()

    def take() -> None:
        start.wait(PATIENCE_S)
        taken.append(take_port("127.0.0.1", None))

    racers = [threading.Thread(target=take) for _ in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len({one.getsockname()[1] for one in taken}) == 8
    for one in taken:
        socket.create_connection(one.getsockname()).close()
        one.close()
