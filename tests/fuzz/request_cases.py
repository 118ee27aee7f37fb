"""Hostile requests to a real server, and what must hold of it all along."""

from __future__ import annotations

import json
from collections import deque
from random import Random
from typing import Any

from engines.control.channel import Channel
from engines.inside.trimtab_inside.private_socket.protocol import LONGEST_LINE
from store.errors import TrimtabError
from tests.fuzz.deliveries import Clients
from tests.fuzz.finding import Finding, Late
from tests.fuzz.json_text import dump
from tests.fuzz.mutations import line_of, mutated
from tests.fuzz.reference import asked_in, may_fall_back
from tests.fuzz.sound_requests import SECRET, sound_request
from tests.fuzz.target import Target

WARM_CASES = 400
"""So many are needed until a journal is full and pools have their size."""
GROWTH_KIB = 16 * 1024
LOOK_EVERY = 200
SOUND_OP = {"plugin": "hello", "front": "state", "supervisor": "status"}
_CODES = {
    "plugin": "value id knob who why cause undoes lease_s change since",
    "front": "",
    "supervisor": "order drain_s stale",
}
_COMMON_CODES = ("json", "op", "version", "long", "busy", "not now")


class RequestCases:
    """One target under fire. `deadline_s` is that of a sound request after each case."""

    def __init__(self, protocol: str, target: Target, deadline_s: float) -> None:
        self._protocol = protocol
        self._target = target
        self._channel = Channel(target.path, deadline_s)
        self._clients = Clients(target.path)
        self._codes = {*_COMMON_CODES, *_CODES[protocol].split()}
        self._recent: deque[list[bytes]] = deque(maxlen=3)
        """What may still be answered: what was sent in this case and in the ones just before."""
        self._stood: set[tuple[str, Any]] = set()
        self._state = target.state()
        self._files = target.files()
        self._memory_kib = 0
        self.cases = 0

    def run(self, chance: Random) -> None:
        """One case. Raises `Finding`."""
        lines = [self._line(chance) for _ in range(chance.choice((1, 1, 1, 2, 5)))]
        answers = self._clients.deliver(chance, lines)
        self._recent.append([*lines, *self._clients.dribbled])
        self._check_answers(lines, answers)
        self._check_alive()
        self._check_state()
        self.cases += 1
        if self.cases % LOOK_EVERY == 0:
            self.look()

    def look(self) -> None:
        """That it holds no more than at the start. Raises `Finding`."""
        self._clients.leave()
        self._target.check_files(self._files)
        memory_kib = self._target.memory_kib()
        if self.cases <= WARM_CASES:
            self._memory_kib = memory_kib
        elif memory_kib > self._memory_kib + GROWTH_KIB:
            raise Finding(f"its memory went from {self._memory_kib} to {memory_kib} KiB")

    def _line(self, chance: Random) -> bytes:
        request = sound_request(self._protocol, chance)
        if chance.random() < 0.3:
            return dump(request)
        return line_of(chance, mutated(chance, request))

    def _check_answers(self, lines: list[bytes], answers: list[bytes] | None) -> None:
        if answers is None:
            return
        for answer in answers:
            self._check_answer(answer)
        asked = b"".join(line + b"\n" for line in lines).split(b"\n")[:-1]
        too_long = any(len(line) > LONGEST_LINE for line in asked)
        if not too_long and len(answers) not in (len(asked), 1):
            raise Finding(f"{len(answers)} answers to {len(asked)} lines")

    def _check_answer(self, answer: bytes) -> None:
        if SECRET.encode() in answer:
            raise Finding(f"an answer holds a secret: {answer[:300]!r}")
        try:
            reply: Any = json.loads(answer, parse_constant=_no_constant)
        except ValueError:
            raise Finding(f"an answer is no JSON: {answer[:300]!r}") from None
        if reply.get("v") != 1 or not answer.endswith(b"\n"):
            raise Finding(f"an answer is not of the protocol: {answer[:300]!r}")
        if reply.get("ok") is True:
            return
        if reply.get("code") not in self._codes or not isinstance(reply.get("error"), str):
            raise Finding(f"no clear no: {answer[:300]!r}")

    def _check_alive(self) -> None:
        try:
            self._channel.ask({"op": SOUND_OP[self._protocol]})
        except TrimtabError as error:
            raise Late(f"a sound request gets no answer: {error}") from None

    def _check_state(self) -> None:
        """That a step went well, and only what was asked for has changed."""
        before, state = self._state, self._target.state()
        self._state = state
        if self._protocol == "supervisor":
            before["values"].clear()  # what it was asked before is done and forgotten
        if state["fault"]:
            raise Finding(state["fault"])
        sent = [data for case in self._recent for data in case]
        allowed = asked_in(self._protocol, sent)
        self._stood |= {*before["values"].items(), *allowed}
        if not before["calm"] or (self._protocol == "plugin" and may_fall_back(sent)):
            allowed = self._stood
        for name, value in state["values"].items():
            if value != before["values"].get(name) and (name, value) not in allowed:
                raise Finding(f"nobody asked, and {name} went to {value!r}")


def _no_constant(name: str) -> float:
    raise ValueError(name)
