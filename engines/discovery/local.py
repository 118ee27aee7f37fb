"""Engines of this machine as /proc and the plugin's sockets tell of them, without a word of HTTP.

An engine with more load than it can bear answers no HTTP, and that is when its knobs are needed.

local_engines()    where each of them serves, of another user's only the first
own_engines()      where those of our own user serve
handle_at(url)     the one that serves an address
handle_of(name)    the one of a name, or the only one
stranger_at(url)   whose it is that serves an address, where that is not our own user
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from engines.cleaning.redact import redact_arguments
from engines.command_line.arguments import DEFAULT_PORT
from engines.control.plugin_sockets import PluginControl, confirm, plugin_control
from engines.discovery import naming
from engines.discovery.location import Location, locate_all
from engines.host.processes import engine_trees
from engines.host.users import other_user
from engines.knob_handle import KnobHandle
from engines.web.address import host_and_port, own_addresses
from store.foreign_text import printable
from store.records import RunInfo

LONGEST_ARGUMENT = 1000
LISTED_OF_A_STRANGER = 8
"""So many engines of one other user are listed: that user may let any number seem to run."""
CONFIRM_S = 2.0
"""How long an EngineCore may take to say that it is there, however busy it is."""


def local_engines() -> list[Location]:
    """Where the engines of this machine serve, oldest first; of one other user's at most
    `LISTED_OF_A_STRANGER`."""
    listed: Counter[str] = Counter()
    trees = []
    for tree in engine_trees():
        user = other_user(tree.root.pid)
        listed[user] += 1
        if not user or listed[user] <= LISTED_OF_A_STRANGER:
            trees.append(tree)
    return _serving(locate_all(trees))


def own_engines() -> list[Location]:
    """Where the engines of our own user serve, oldest first."""
    trees = engine_trees(no_strangers=True)
    return _serving(locate_all(tree for tree in trees if not other_user(tree.root.pid)))


def _serving(locations: list[Location]) -> list[Location]:
    """Without those that start at an address where another one already serves."""
    served_urls = {url for location in locations if location.reachable for url in location.urls}
    return [
        location
        for location in locations
        if location.reachable or not served_urls.intersection(location.urls)
    ]


def located_at(url: str) -> Location | None:
    """The engine of this machine that listens at a normalised address. Those of other users are
    looked at only where it is none of ours."""
    location = _at_address(own_engines(), url)
    if location is not None:
        return location
    strangers_trees = [tree for tree in engine_trees() if other_user(tree.root.pid)]
    return _at_address(_serving(locate_all(strangers_trees)), url)


def _at_address(locations: Sequence[Location], url: str) -> Location | None:
    host, port = host_and_port(url)
    for location in locations:
        if url in location.urls or any(
            port and host_and_port(served_url) == (host, port) for served_url in location.urls
        ):
            return location
    addresses = own_addresses(host)
    for location in locations:
        for listener in location.listeners:
            if listener.port == port and addresses & {listener.address, host}:
                return location
            if listener.port == port and addresses and listener.accepts_any:
                return location
    return None


def known_url(location: Location, url: str) -> str:
    """The address by which an engine met at `url` goes, so that it is one engine in the ledger."""
    if not url.startswith("http:"):
        return url
    port = host_and_port(url)[1]
    return next(
        (served_url for served_url in location.urls if host_and_port(served_url)[1] == port), url
    )


def model_of(location: Location) -> str | None:
    """The model that the command line names, as the engine shows it."""
    return printable(location.launch.shown_model or "") or None


def arguments_of(location: Location) -> tuple[str, ...]:
    """The whole command line without secrets."""
    words = redact_arguments(location.tree.root.arguments, LONGEST_ARGUMENT)
    return tuple(printable(word, LONGEST_ARGUMENT) for word in words)


def handle_at(url: str) -> KnobHandle | None:
    """The engine of this machine that serves a normalised address; None where none is seen to."""
    location = located_at(url)
    if location is None:
        return None
    return _handle(location, known_url(location, url))


def stranger_at(url: str) -> str:
    """The other user whose engine serves a normalised address; '' where it is our own, or none."""
    place = located_at(url)
    return "" if place is None else other_user(place.tree.root.pid)


def handle_of(name: str | None) -> KnobHandle | None:
    """The engine of our own user's of this name, or the only one where no name is given.

    None where it takes HTTP to tell which that is, or several could be meant.
    """
    locations = own_engines()
    if not all(
        location.tree.launch is not None and _first_is_its_own(location) for location in locations
    ):
        return None
    if name is None:
        return _handle(locations[0], locations[0].urls[0]) if len(locations) == 1 else None
    given_names = naming.given_names()
    names = [_name(location, given_names) for location in locations]
    known_engines = [
        (own_name, location.urls[0], location.tree.root.pid)
        for own_name, location in zip(names, locations, strict=True)
        if own_name is not None
    ]
    if len(known_engines) < len(locations):
        return None
    fitting = [
        location
        for unique_name, location in zip(naming.make_unique(known_engines), locations, strict=True)
        if unique_name == name
    ]
    return _handle(fitting[0], fitting[0].urls[0], name) if len(fitting) == 1 else None


def _handle(location: Location, url: str, name: str | None = None) -> KnobHandle:
    root = location.tree.root
    plugin = PluginControl("observe", location.problem)
    if location.reachable:
        plugin = confirm(plugin_control(location.tree), CONFIRM_S)
    life = RunInfo(
        url=url,
        name=name or _name(location, naming.given_names()) or naming.default_name(None, url),
        model=model_of(location),
        pid=root.pid,
        started_ms=root.started_ms,
        control=plugin.control,
        reason=plugin.reason,
        arguments=arguments_of(location),
    )
    return KnobHandle(life, plugin.sockets)


def _name(location: Location, given_names: Mapping[int, str]) -> str | None:
    """What the engine is called, where HTTP is not needed to tell."""
    given = given_names.get(location.tree.root.pid)
    model = model_of(location)
    return given or (naming.default_name(model, location.urls[0]) if model else None)


def _first_is_its_own(location: Location) -> bool:
    """Whether the first address is the API server's, and no other socket of its process."""
    expected_port = location.launch.port or DEFAULT_PORT
    return len(location.urls) == 1 or host_and_port(location.urls[0])[1] == expected_port
