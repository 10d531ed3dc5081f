"""Several hosts of one database: they are tried in turn, and one is taken that answers and plays the part asked for.

PostgreSQL's libpq can do that by itself; MySQL's drivers can't, and asyncpg in part. It is done here for all of them,
so that each says of each host why it was not taken, and all of it ends in `connect_timeout`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.errors import ConnectError
from dbctl.profiles.places import Place, places
from dbctl.records import record

if TYPE_CHECKING:
    from dbctl.profiles import Profile


class Role(StrEnum):
    """The part that a server plays among those that have the same data."""

    PRIMARY = "primary"
    """It takes writes."""
    STANDBY = "standby"
    """It follows another one, and lets nobody write."""
    APART = "apart"
    """It belongs to a cluster, and takes no part in it now: it answers, and its tables can't be read."""


APART = "cluster"
"""The stage of the error that refuses a server which takes no part in its cluster."""


@record
class Turn:
    """One host's turn, and how long it may take.

    Attributes:
        place: The host.
        keywords: What its driver's `connect` is given for it.
        share: The part of the time that is left, from 0 to 1: an equal one for each host that is still to come.
    """

    place: Place
    keywords: dict[str, Any]
    share: float


def rows(connection: Any, query: str) -> list[Any]:
    """Return what a driver's connection, or SQLAlchemy's adapter of one, answers, and leave no transaction open."""
    found = [tuple(row.values()) for row in named_rows(connection, query)]
    connection.rollback()
    return found


def named_rows(connection: Any, query: str) -> list[dict[str, Any]]:
    """Return the same with the columns' names, in lower case; a transaction that it begins is left open."""
    cursor = connection.cursor()
    try:
        cursor.execute(query)
        names = [column[0].lower() for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    finally:
        cursor.close()
    return found


class Hosted:
    """The part of a backend that knows its hosts, and the part that each of them plays."""

    default_port: ClassVar[int] = 0
    nodes_stand_apart: ClassVar[bool] = False
    """Whether a server that lets one log in may be of no use, so that each of several hosts has to be asked."""
    not_writable: ClassVar[Sequence[Any]] = ()
    """The codes of the errors by which a server says that it takes no writes."""
    profile: Profile

    def connect_error(self, error: BaseException) -> ConnectError:
        """Return the error that says at which step connecting failed."""
        raise NotImplementedError

    def place_of(self, driver_connection: Any) -> Place | None:
        """Return where a connection of either driver leads, as the profile names it; None for a file."""
        return None

    def role(self, connection: Any) -> Role | None:
        """Ask a server on a connection for its part; None where there is none, as of a file.

        Args:
            connection: The sync driver's connection, or SQLAlchemy's adapter of an async one, in no transaction; it is
                in none afterwards.
        """
        return None

    def lag(self, connection: Any) -> float | None:
        """Ask a standby, as `role` does, for how many seconds what it was sent is not replayed yet.

        It is infinity where it replays nothing, or does not tell whether it does; None on a server that is no standby.
        """
        return None

    def primary_of(self, connection: Any) -> str:
        """Ask a standby, as `role` does, where its primary is: a host and a port; "" where it does not tell."""
        return ""

    def own_name(self, connection: Any) -> str:
        """Ask a server, as `role` does, what it calls itself: a host and a port; "" where it does not tell."""
        return ""

    def standby_hint(self, connection: Any) -> str:
        """Return where to write in place of a server, asked as `role` does; "" where it is no standby."""
        if self.role(connection) is not Role.STANDBY:
            return ""
        who, primary = self.own_name(connection) or "this server", self.primary_of(connection)
        return (
            f"{who} is a standby; its primary is {primary}" if primary else f"write on its primary: {who} is a standby"
        )

    def hint_of(self, error: BaseException) -> str:
        """Return what to do about a driver's error that only a standby raises; "" for any other."""
        return ""

    @contextmanager
    def second_connection(self, beside: Any = None) -> Iterator[Any]:
        """Connect by the sync driver once more, to the server that another connection leads to."""
        raise NotImplementedError
        yield

    def at_place(self, place: Place) -> dict[str, Any]:
        """Return the keywords by which either driver connects to one host."""
        return {"host": place.host, "port": place.port}

    def places(self) -> Sequence[Place]:
        """Return the profile's hosts, in its order."""
        return places(self.profile, self.default_port)

    @property
    def chooses(self) -> bool:
        """Whether a host is to be chosen here, by what it answers."""
        return bool(self.profile.hosts) or self.profile.target != "any" or self.profile.max_lag is not None

    def turns(self) -> Iterator[Turn]:
        """Yield the hosts, each once."""
        found = self.places()
        for number, place in enumerate(found):
            yield Turn(place, self.at_place(place), 1 / (len(found) - number))

    def unfit(self, connection: Any) -> str:
        """Return why a server is not the one that the profile wants; "" where it is."""
        target, most = self.profile.target, self.profile.max_lag
        if target == "any" and most is None and not self.nodes_stand_apart:
            return ""
        role = self.role(connection)
        if role is Role.APART:
            return f"{self._called_by_itself(connection)}it takes no part in its cluster now"
        if target not in {"any", role}:
            return f"{self._called_by_itself(connection)}it is a {role}"
        behind = self.lag(connection) if most is not None and role is Role.STANDBY else None
        if most is None or behind is None or behind <= most:
            return ""
        far = f"{behind:.3g} s"
        if math.isinf(behind):
            far = "an unknown time, for it replays nothing, or does not tell this user"
        return f"{self._called_by_itself(connection)}it is a standby that is behind by {far}; max_lag is {most:g} s"

    def _called_by_itself(self, connection: Any) -> str:
        """Return the beginning of what is said of a server: its name, where the only host may be a balancer."""
        name = "" if self.profile.hosts else self.own_name(connection)
        return f"{name} answers: " if name else ""


class Search:
    """Tries one host after the other, and remembers why each was not taken. Nothing here connects.

    Args:
        backend: The backend, bound to the profile.
    """

    def __init__(self, backend: Hosted) -> None:
        self._backend = backend
        self._passed: list[tuple[Place, ConnectError]] = []

    def pass_over(self, place: Place, why: ConnectError | str) -> None:
        """Take note why a host was not taken.

        Raises:
            ConnectError: The reason is one that holds for every other host too: it is a login that was refused.
        """
        if isinstance(why, str):
            why = ConnectError(why, "role", transient=True)
        elif why.stage in {"login", "database"} and not why.transient:
            why.message = why.message.replace(": ", f": {place}: ", 1)
            raise why
        self._passed.append((place, why))

    def failure(self) -> ConnectError:
        """Return the error that names each host, and why it was not taken."""
        called, target = self._backend.profile.called, self._backend.profile.target
        reasons = [(place, error.message.removeprefix(f"{called}: ")) for place, error in self._passed]
        told = "; ".join(f"{place}: {reason}" for place, reason in reasons)
        which = "no host answers" if target == "any" else f"no host is a {target} that answers"
        if self._backend.profile.max_lag is not None:
            which += ", and not too far behind"
        last = self._passed[-1][1]
        stages = {error.stage for _, error in self._passed}
        stage = last.stage if len(stages) == 1 else "connection"
        transient = any(error.transient for _, error in self._passed)
        return ConnectError(f"{called}: connection failed: {which}: {told}", stage, last.hint, transient=transient)


def search(
    backend: Hosted,
    connect: Callable[[Turn], Any],
    unfit: Callable[[Any], str],
    errors: tuple[type[BaseException], ...],
) -> Any:
    """Return a connection to the first host that answers and plays the part that is wanted.

    Args:
        backend: The backend, bound to the profile.
        connect: Connects to one host.
        unfit: Says why what it returned is not taken; "" where it is.
        errors: What a driver raises where that fails; any other error ends the search.

    Raises:
        ConnectError: No host does; it names each.
    """
    attempt = Search(backend)
    for turn in backend.turns():
        try:
            connection = connect(turn)
        except ConnectError as error:
            attempt.pass_over(turn.place, error)
            continue
        except errors as error:
            attempt.pass_over(turn.place, backend.connect_error(error))
            continue
        taken = False
        try:
            reason = unfit(connection)
            taken = not reason
        except errors as error:
            attempt.pass_over(turn.place, backend.connect_error(error))
            continue
        finally:
            if not taken:
                connection.close()
        if taken:
            return connection
        attempt.pass_over(turn.place, reason)
    raise attempt.failure()
