"""The nodes of a cluster as they see each other: who follows whom, how far behind, and who sees what.

Each host of the profile is asked, and each other node that one of them names with its port; what can't be asked stands
there as the others see it.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from functools import partial

from dbctl.backends import backend_of
from dbctl.backends.hosts import APART, Role
from dbctl.backends.nodes import Peer, View
from dbctl.connections.connector import opened
from dbctl.errors import ConnectError, DbctlError
from dbctl.profiles import Profile
from dbctl.profiles.places import Place
from dbctl.records import record
from dbctl.runtime.waits import result_of, started

_ROUNDS = 5
"""How often nodes that were only named by others are asked in turn: a chain of standbys is seldom longer."""


@record
class Node:
    """A node: its address or its name, what it says of itself, and how far behind it is.

    `follows` is the node that it follows. `lag_s` and `lag_bytes` are what it has not replayed yet; `cluster` and
    `timeline` are None where it is not told. `asked` says whether it has answered itself; else `seen_by` names who has
    told of it, and `error` says why it could not be asked.
    """

    tree: str = field(metadata={"programs": False})
    node: str = field(metadata={"table": False})
    role: str | None
    state: str | None
    version: str | None
    lag_s: float | None
    lag_bytes: int | None
    follows: str | None = field(metadata={"table": False})
    name: str | None = field(metadata={"table": False})
    cluster: str | None = field(metadata={"table": False})
    timeline: int | None
    asked: bool
    seen_by: Sequence[str] = field(metadata={"table": False})
    missing: str | None = field(metadata={"table": False})
    error: str | None = field(metadata={"across": True})


@record
class Answer:
    """What asking one node gave: what it says, or why it can't be asked."""

    place: Place
    view: View | None = None
    error: DbctlError | None = None
    others: Sequence[Place] = ()
    """Where else the same server was asked."""

    @property
    def is_apart(self) -> bool:
        """Whether it has answered, and takes no part in its cluster."""
        return getattr(self.error, "stage", None) == APART


@record
class Topology:
    """The nodes, each below the one that it follows, and what is not told."""

    nodes: Sequence[Node]
    notes: Sequence[str]


def topology(profile: Profile) -> Topology:
    """Ask a profile's hosts, and the nodes that they name, for themselves and for each other.

    Args:
        profile: Where; its `target` is no matter, for all are asked. Each is given `connect_timeout`.

    Raises:
        ConnectError: None of the profile's hosts can be reached.
        Unsupported: The database has no nodes.
    """
    answers = ask_all(profile)
    notes = sorted({note for each in answers if each.view for note in each.view.notes})
    return Topology(list(_drawn(_merged(answers))), notes)


def ask_all(profile: Profile) -> list[Answer]:
    """Ask a profile's hosts, all at once, and then the nodes that they name.

    Raises:
        ConnectError: None of the profile's hosts can be reached.
        Unsupported: The database has no nodes.
    """
    backend = backend_of(profile)
    if not backend.needs_host or backend.tunnel or not backend.addresses():
        with opened(profile) as connector, connector.engine.connect() as connection:
            place = (backend.places() or [Place("", 0)])[0]
            return [Answer(place, connector.backend.view(connection))]
    answers: list[Answer] = []
    waiting = list(dict.fromkeys(backend.places()))
    for number in range(_ROUNDS):
        answers = _told_apart([*answers, *_ask(profile, waiting)])
        if not number and not any(each.view or each.is_apart for each in answers):
            raise _unreached(profile, answers)
        known = {place for each in answers for place in (each.place, *each.others)}
        named = [peer.place for each in answers if each.view for peer in each.view.peers if peer.place]
        waiting = [place for place in dict.fromkeys(named) if place not in known]
        if not waiting:
            break
    return answers


def _unreached(profile: Profile, answers: Sequence[Answer]) -> DbctlError:
    errors = [each.error for each in answers if each.error]
    if len(errors) == 1:
        return errors[0]
    told = "; ".join(f"{each.place}: {_reason(each, profile)}" for each in answers)
    return ConnectError(f"{profile.called}: connection failed: no host answers: {told}")


def _reason(answer: Answer, profile: Profile) -> str:
    return answer.error.message.removeprefix(f"{profile.called}: ") if answer.error else ""


def _ask(profile: Profile, places: Sequence[Place]) -> list[Answer]:
    return [result_of(asking) for asking in [started(partial(_ask_one, profile, place)) for place in places]]


def _ask_one(profile: Profile, place: Place) -> Answer:
    query = {key: value for key, value in profile.query.items() if key not in {"host", "port", "target_session_attrs"}}
    there = {"host": place.host, "port": place.port, "hosts": (), "target": "any", "max_lag": None, "query": query}
    asked = profile.model_copy(update=there)
    try:
        return Answer(place, _view(asked, refuses=True))
    except ConnectError as error:
        problem = error
    if problem.stage != APART:
        return Answer(place, error=problem)
    try:  # some tell all the same
        return Answer(place, _view(asked, refuses=False))
    except ConnectError:
        return Answer(place, error=problem)


def _view(profile: Profile, *, refuses: bool) -> View:
    """Ask a server, and have one that takes no part in its cluster named as such where that is said."""
    from dbctl.connections.nodes import refuse_nodes
    from dbctl.connections.response_timeouts import bound_questions

    with opened(profile) as connector:
        bound_questions(connector.engine, connector.backend)
        if refuses:
            refuse_nodes(connector.engine, connector.backend)
        with connector.engine.connect() as connection:
            return connector.backend.view(connection.execution_options(isolation_level="AUTOCOMMIT"))


def _told_apart(answers: Sequence[Answer]) -> list[Answer]:
    """Return each server once, also one that was asked at several addresses."""
    found: dict[object, Answer] = {}
    for each in answers:
        key: object = each.view.itself if each.view else _resolved(each.place)
        first = found.setdefault(key, each)
        if first is not each:
            found[key] = replace(first, others=[*first.others, each.place, *each.others])
    return list(found.values())


def _resolved(place: Place) -> object:
    """Return what two names of one host have in common, where it could not be asked who it is."""
    try:
        return socket.getaddrinfo(place.host, place.port, socket.AF_INET)[0][4]
    except OSError:
        return place


def _merged(answers: Sequence[Answer]) -> list[Node]:
    """Return a node for each that was asked, and for each that others see and that is none of those."""
    nodes = {str(each.place): _asked(each) for each in answers}
    names = {str(place): str(each.place) for each in answers for place in (each.place, *each.others)}
    seen = [(str(each.place), peer) for each in answers if each.view for peer in each.view.peers]
    unknown = Counter(seer for seer, peer in seen if peer.is_unknown)
    # Whom one follows is known by its address; who follows one often by less, and then by what that one has said.
    for seer, peer in sorted(seen, key=lambda pair: not pair[1].is_above):
        name = names.get(str(peer.place)) or _follower(peer, seer, nodes, unknown[seer])
        unknown[seer] -= peer.is_unknown
        if name is None:
            name = _free_name(str(peer.place) if peer.place else peer.name or peer.host or "a node", seer, nodes)
            nodes[name] = _blank(name)
            if peer.place:
                names[str(peer.place)] = name
        if name != seer:
            nodes[name] = _seen(nodes[name], peer, seer)
        if peer.is_above:
            nodes[seer] = replace(nodes[seer], follows=name)
    return list(nodes.values())


def _follower(peer: Peer, seer: str, nodes: dict[str, Node], unknown: int) -> str | None:
    """Return the node that follows one that does not know its port, where there is one that it must be.

    Where nothing is told of so many as there are left, it is any of these.
    """
    if peer.place or not peer.is_below:
        return None
    there = [each for each in nodes.values() if each.asked and each.node != seer and seer not in each.seen_by]
    same = [each for each in there if each.role == "standby" and each.cluster == nodes[seer].cluster]
    own = [each for each in same if each.follows == seer]
    named = [each for each in own if peer.name and each.name == peer.name]
    near = [each for each in own if each.node.startswith(f"{peer.host}:")]
    untold = [each for each in same if each.follows is None]
    found = named or near or own or (untold if len(untold) == 1 or (peer.is_unknown and len(untold) == unknown) else [])
    return found[0].node if found else None


def _free_name(name: str, seer: str, nodes: dict[str, Node]) -> str:
    taken = f"{name} of {seer}" if name in nodes else name
    number = 2
    while taken in nodes:
        taken, number = f"{name} {number} of {seer}", number + 1
    return taken


def _blank(name: str) -> Node:
    return Node(name, name, None, None, None, None, None, None, None, None, None, False, [], None, None)


def _asked(answer: Answer) -> Node:
    name, view = str(answer.place), answer.view
    if view is None:
        role = Role.APART.value if answer.is_apart else None
        return replace(_blank(name), role=role, error=answer.error.message if answer.error else None)
    return replace(
        _blank(name),
        role=view.role,
        state=view.state,
        version=view.version,
        lag_s=_rounded(view.lag_s),
        name=view.name,
        cluster=view.cluster,
        timeline=view.timeline,
        asked=True,
        missing=view.missing,
    )


def _seen(node: Node, peer: Peer, seer: str) -> Node:
    """Add what another one sees of a node to what is known of it."""
    return replace(
        node,
        role=node.role or peer.role,
        state=", ".join(dict.fromkeys(part for told in (node.state, peer.state) if told for part in told.split(", ")))
        or None,
        version=node.version or peer.version,
        lag_s=node.lag_s if node.asked else _rounded(peer.lag_s),
        lag_bytes=peer.lag_bytes if node.lag_bytes is None else node.lag_bytes,
        follows=node.follows or (seer if peer.is_below else None),
        name=node.name or peer.name,
        seen_by=[*node.seen_by, seer],
    )


def _drawn(nodes: Sequence[Node]) -> Iterator[Node]:
    """Yield the nodes, each below the one that it follows."""
    names = {each.node for each in nodes}

    def branch(node: Node, depth: int, way: frozenset[str]) -> Iterator[Node]:
        yield replace(node, tree=f"{'   ' * (depth - 1)}`- {node.node}" if depth else node.node)
        for each in nodes:
            if each.follows == node.node and each.node not in way:
                yield from branch(each, depth + 1, way | {each.node})

    drawn: set[str] = set()
    for top in sorted(nodes, key=lambda each: each.follows in names):  # those in a ring, which is no tree, come last
        if top.node not in drawn and (top.follows not in names or top.follows not in drawn):
            found = list(branch(top, 0, frozenset({top.node})))
            drawn |= {each.node for each in found}
            yield from found


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
