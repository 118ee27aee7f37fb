"""Engines of this machine as /proc and the plugin's sockets tell of them, without a word of HTTP.

An engine with more load than it can bear answers no HTTP, and that is when its knobs are needed.

local_engines()    where each of them serves
handle_at(url)     the one that serves an address
handle_of(name)    the one of a name, or the only one
"""

from __future__ import annotations

from collections.abc import Sequence

from engines.cleaning.redact import redact_arguments
from engines.command_line.arguments import DEFAULT_PORT
from engines.control.plugin_sockets import PluginControl, confirm, plugin_control
from engines.discovery import naming
from engines.discovery.location import Location, locate
from engines.host.processes import engine_trees
from engines.host.users import other_user
from engines.knob_handle import KnobHandle
from engines.web.address import host_and_port, own_addresses
from store.foreign_text import printable
from store.records import RunInfo

LONGEST_ARGUMENT = 1000
CONFIRM_S = 2.0
"""How long an EngineCore may take to say that it is there, however busy it is."""


def local_engines() -> list[Location]:
    """Where the engines of this machine serve, oldest first; without those that start at an address
    where another one already serves."""
    places = [place for tree in engine_trees() if (place := locate(tree)) is not None]
    served = {url for place in places if place.reachable for url in place.urls}
    return [place for place in places if place.reachable or not served.intersection(place.urls)]


def at_address(places: Sequence[Location], url: str) -> Location | None:
    """The one of these engines that listens at a normalised address."""
    host, port = host_and_port(url)
    for place in places:
        if url in place.urls or any(port and host_and_port(u) == (host, port) for u in place.urls):
            return place
    addresses = own_addresses(host)
    for place in places:
        for listener in place.listeners:
            if listener.port == port and addresses & {listener.address, host}:
                return place
            if listener.port == port and addresses and listener.accepts_any:
                return place
    return None


def known_url(place: Location, url: str) -> str:
    """The address by which an engine met at `url` goes, so that it is one engine in the ledger."""
    if not url.startswith("http:"):
        return url
    port = host_and_port(url)[1]
    return next((known for known in place.urls if host_and_port(known)[1] == port), url)


def model_of(place: Location) -> str | None:
    """The model that the command line names, as the engine shows it."""
    return printable(place.launch.shown_model or "") or None


def arguments_of(place: Location) -> tuple[str, ...]:
    """The whole command line without secrets."""
    words = redact_arguments(place.tree.root.arguments)
    return tuple(printable(word, LONGEST_ARGUMENT) for word in words)


def handle_at(url: str) -> KnobHandle | None:
    """The engine of this machine that serves a normalised address; None where none is seen to."""
    place = at_address(local_engines(), url)
    if place is None:
        return None
    return _handle(place, known_url(place, url))


def handle_of(name: str | None) -> KnobHandle | None:
    """The engine of this name, or the only one of our own user's where no name is given.

    None where it takes HTTP to tell which that is, or several could be meant.
    """
    places = local_engines()
    if not all(place.tree.launch is not None and _first_is_its_own(place) for place in places):
        return None
    if name is None:
        own = [place for place in places if not other_user(place.tree.root.pid)]
        return _handle(own[0], own[0].urls[0]) if len(own) == 1 else None
    names = [_name(place) for place in places]
    known = [
        (own, place.urls[0], place.tree.root.pid)
        for own, place in zip(names, places, strict=True)
        if own is not None
    ]
    if len(known) < len(places):
        return None
    fitting = [
        place
        for unique, place in zip(naming.make_unique(known), places, strict=True)
        if unique == name
    ]
    return _handle(fitting[0], fitting[0].urls[0], name) if len(fitting) == 1 else None


def _handle(place: Location, url: str, name: str | None = None) -> KnobHandle:
    root = place.tree.root
    inside = PluginControl("observe", place.problem)
    if place.reachable:
        inside = confirm(plugin_control(place.tree), CONFIRM_S)
    life = RunInfo(
        url=url,
        name=name or _name(place) or naming.default_name(None, url),
        model=model_of(place),
        pid=root.pid,
        started_ms=root.started_ms,
        control=inside.control,
        reason=inside.reason,
        arguments=arguments_of(place),
    )
    return KnobHandle(life, inside.sockets)


def _name(place: Location) -> str | None:
    """What the engine is called, where HTTP is not needed to tell."""
    given = naming.given_name(place.tree.root.pid)
    model = model_of(place)
    return given or (naming.default_name(model, place.urls[0]) if model else None)


def _first_is_its_own(place: Location) -> bool:
    """Whether the first address is the API server's, and no other socket of its process."""
    expected = place.launch.port or DEFAULT_PORT
    return len(place.urls) == 1 or host_and_port(place.urls[0])[1] == expected
