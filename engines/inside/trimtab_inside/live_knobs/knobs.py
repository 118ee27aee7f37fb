"""The knobs: what each one reads, writes and allows.

`read` and `write` are called with the scheduler's lock held, so never during a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union

Value = Union[bool, int]  # noqa: UP007 - vLLM still ran on Python 3.9

DRAINS = "those who run finish first"


class Knob:
    """A setting. Bounds are inclusive, None for on/off; `reason`: what to mind, or why not live.

    `before_step` and `before_request` are run ahead of `schedule` and `add_request` where the knob
    needs it; they get the same arguments.
    """

    kind = "live"
    before_step: Callable[..., None] | None = None
    before_request: Callable[..., None] | None = None

    def __init__(
        self,
        name: str,
        start: Value | None,
        *,
        minimum: int | None = None,
        maximum: int | None = None,
        reason: str = "",
    ) -> None:
        self.name = name
        self.start = start
        self.minimum = minimum
        self.maximum = maximum
        self.reason = reason

    def read(self) -> Value | None:
        """The value in force."""
        return self.start

    def write(self, value: Value) -> None:
        """Put `value` in force; it has passed `refusal`."""
        raise NotImplementedError(self.name)

    def refusal(self, value: object) -> str:
        """Why `value` may not be set, or nothing."""
        if self.kind != "live":
            return self.reason
        if isinstance(self.start, bool):
            return "" if isinstance(value, bool) else "takes on or off"
        if isinstance(value, bool) or not isinstance(value, int):
            return "takes a whole number"
        if self.minimum is not None and value < self.minimum:
            return f"{value} is below {self.minimum}"
        if self.maximum is not None and value > self.maximum:
            return f"{value} is above {self.maximum}"
        return ""


class NotLive(Knob):
    """A setting this engine cannot change while it runs."""

    kind = "swap"


class Attribute(Knob):
    """An attribute that the scheduler reads afresh in each step."""

    def __init__(
        self, name: str, owner: Any, attribute: str, *, bounds: tuple[int, int], reason: str = ""
    ) -> None:
        start = int(getattr(owner, attribute))
        super().__init__(name, start, minimum=bounds[0], maximum=bounds[1], reason=reason)
        self._owner = owner
        self._attribute = attribute

    def read(self) -> Value:
        """The value in force."""
        return int(getattr(self._owner, self._attribute))

    def write(self, value: Value) -> None:
        """Put `value` in force."""
        setattr(self._owner, self._attribute, value)


class LongPrefillThreshold(Attribute):
    """A cap on the tokens of one prompt in a step: 0 for none, or at least `smallest`."""

    def __init__(self, owner: Any, attribute: str, smallest: int, maximum: int) -> None:
        reason = "0 is no cap" + (f"; otherwise at least {smallest}" if smallest > 1 else "")
        super().__init__(attribute, owner, attribute, bounds=(0, maximum), reason=reason)
        self._smallest = smallest

    def refusal(self, value: object) -> str:
        """Why `value` may not be set, or nothing."""
        reason = super().refusal(value)
        if not reason and 0 < int(value) < self._smallest:  # type: ignore[call-overload]
            return f"{value} is below {self._smallest}, the smallest piece a prompt is cut into"
        return reason


class RunningCap(Knob):
    """The admission cap of versions that have only `max_num_running_reqs`.

    The scheduler asserts after each step that no more than that many run, and an assertion there
    ends the engine. So the attribute is the cap or the number running, whichever is more, set anew
    before each step: nobody is admitted over the cap, and those who run finish. It also keeps older
    versions right, which compare with `==`.
    """

    def __init__(self, scheduler: Any) -> None:
        start = int(scheduler.max_num_running_reqs)
        super().__init__("max_num_seqs", start, minimum=1, maximum=start, reason=DRAINS)
        self._scheduler = scheduler
        self._cap = start
        self.before_step = self.clamp

    def read(self) -> Value:
        """The value in force."""
        return self._cap

    def write(self, value: Value) -> None:
        """Put `value` in force."""
        self._cap = int(value)
        self.clamp()

    def clamp(self, *_args: Any, **_kwargs: Any) -> None:
        """Let through the cap, or those who run already."""
        self._scheduler.max_num_running_reqs = max(self._cap, len(self._scheduler.running))


class PrefixReading(Knob):
    """Whether requests read the prefix cache. Blocks are written all the same.

    Off marks each request so that its lookup is skipped; requests already waiting are marked too,
    so that a long queue does not delay the effect. On takes back the marks made here, and no
    others. A request whose KV blocks another engine has computed is left alone: to skip them would
    strand them there.
    """

    def __init__(self, scheduler: Any, reason: str) -> None:
        super().__init__("enable_prefix_caching", True, reason=reason)
        self._scheduler = scheduler
        self._on = True
        self.before_request = self.mark

    def read(self) -> Value:
        """The value in force."""
        return self._on

    def write(self, value: Value) -> None:
        """Put `value` in force."""
        self._on = bool(value)
        for request in list(self._scheduler.requests.values()):
            if not self._on:
                self.mark(request)
            elif getattr(request, "trimtab_skips", False):
                request.trimtab_skips = False
                request.skip_reading_prefix_cache = False

    def mark(self, request: Any, *_args: Any, **_kwargs: Any) -> None:
        """Make a request skip the lookup while caching is off."""
        if self._on or request.skip_reading_prefix_cache:
            return
        transfer = getattr(request, "kv_transfer_params", None)
        if transfer and transfer.get("do_remote_prefill"):
            return
        request.skip_reading_prefix_cache = True
        request.trimtab_skips = True
