"""What a driver's errors mean: dbctl's own errors for them, and whether what failed may heal."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.origins import (
    HINT,
    OVERDUE,
    SILENCE,
    are_one_database,
    attempt_under_way,
    heard_before,
    origin_of,
    profile_of_pool,
)
from dbctl.errors import (
    Conflict,
    ConnectError,
    Contention,
    DbctlError,
    MissingTable,
    NoSpace,
    OutOfTime,
    Remedy,
    WorkRefused,
)
from dbctl.profiles.secrets import doubt_of
from dbctl.records import record
from dbctl.runtime import network
from dbctl.runtime.foreign_errors import described, place_of

if TYPE_CHECKING:
    import socket

    from dbctl.profiles import Profile

_HINTS: Mapping[type[DbctlError], str] = {
    MissingTable: Remedy.CREATE_TABLES,
    Contention: "try again when less is going on",
    NoSpace: "free some where the database keeps its data, and run it again",
}

PLACE = "dbctl_place"
"""The attribute of a driver's error that says where the value stands that a constraint refused."""


@record
class Meaning:
    """What one of a database's error codes means here.

    Attributes:
        error: dbctl's error for it at work.
        stage: The step that failed, where it comes while one connects; the error is a ConnectError then.
        transient: While one connects, it may heal by itself.
        heals: A further run of the whole unit of work may heal it.
        disconnects: The connection is given up though it is still open: another may do.
        commit_unknown: A COMMIT that ended with it may have been done all the same.
        lock: A lock was not had in time.
        statement: A statement has taken longer than it may.
    """

    error: type[DbctlError]
    stage: str | None = None
    transient: bool = False
    heals: bool = False
    disconnects: bool = False
    commit_unknown: bool = False
    lock: bool = False
    statement: bool = False


class Diagnosis:
    """The part of a backend that understands errors; what a database says of them is in its package's `errors`."""

    title: ClassVar[str]
    meanings: ClassVar[Mapping[Any, Meaning]] = {}
    """The table of the driver's error codes, as `error_code` returns them."""
    fails_whole: ClassVar[bool] = False
    """Whether any error, outside of a savepoint, leaves a transaction that can only be rolled back."""
    column_patterns: ClassVar[Sequence[str]] = ()
    """Regular expressions whose one group is what the database calls the columns, or the key, of a constraint."""
    rights_missing: ClassVar[Collection[Any]] = ()
    """The codes of the errors that say that the role may not."""
    no_password: ClassVar[str] = ""
    """The words by which the database, or the driver, says that a login lacked its password."""
    profile: Profile

    def addresses(self) -> Sequence[tuple[str, int]]:
        """Return the hosts and ports that the driver tries, in its order; none where it is no matter of TCP."""
        raise NotImplementedError

    def tunnel_trouble(self, heard: int | None) -> ConnectError | None:
        """Return the error that says why the tunnel is at fault for a connection that failed, or None where it is not.

        Args:
            heard: How many lines it had said before one connected; None where the connection was there.
        """
        raise NotImplementedError

    def first_silence(self, sock: socket.socket) -> str:
        """Name the step at which a server is silent that has accepted a connection."""
        return "login"

    def driver_errors(self) -> tuple[type[BaseException], ...]:
        """Return the sync driver's own base of all its errors."""
        return ()

    def error_code(self, error: BaseException) -> Any:
        """Return the driver's code for an error: an SQLSTATE, an errno, a result code."""
        return None

    def meaning(self, error: BaseException) -> Meaning | None:
        """Return what the table has for an error's code; None where it has nothing, or there is no code."""
        return self.meanings.get(self.error_code(error))

    def error_text(self, error: BaseException) -> str:
        """Return what the driver says of an error, on one line."""
        # libpq says the same twice where it tried twice, with TLS and without.
        lines = dict.fromkeys(" ".join(line.split()) for line in str(error).splitlines())
        return ". ".join(line.rstrip(".") for line in lines if line)

    def failed_stage(self, error: BaseException) -> str:
        """Name the step of connecting at which the driver failed: by its code, or by Python's own errors."""
        meaning = self.meaning(error)
        if meaning is not None and meaning.stage:
            return meaning.stage
        step = network.failed_step(error)
        return self.silent_step() if step == "silence" else step

    def silent_step(self) -> str:
        """Name the step at which the server gives no answer; behind a tunnel nobody knows whose silence it is."""
        return "connection" if self.profile.tunnel else network.silent_step(self._tried(), self.first_silence)

    def _tried(self) -> Sequence[tuple[str, int]]:
        """Return the hosts and ports that the driver has tried: of several that are chosen here the one in its turn."""
        attempt = attempt_under_way.get()
        if attempt is None or attempt.place is None or attempt.profile is not self.profile:
            return self.addresses()
        return [] if attempt.place.is_socket else [(attempt.place.host, attempt.place.port)]

    def _patience(self) -> float:
        attempt = attempt_under_way.get()
        in_turn = attempt is not None and attempt.place is not None and attempt.profile is self.profile
        return attempt.seconds if attempt and in_turn else self.profile.connect_timeout

    async def opening(self, connecting: Awaitable[Any]) -> Any:
        """Await an async driver's connect, and translate what it raises that is none of the driver's own errors.

        Raises:
            ConnectError: The network, the name or TLS failed.
        """
        import asyncio

        attempt = attempt_under_way.get()
        in_time = attempt is not None and attempt.profile is self.profile
        try:
            async with asyncio.timeout(attempt.left if attempt and in_time else self.profile.connect_timeout):
                return await connecting
        except TimeoutError as error:
            raise await asyncio.to_thread(self.connect_error, error) from error  # which may knock at the server's port
        except OSError as error:  # TimeoutError and ssl.SSLError are OSErrors too
            raise self.connect_error(error) from error

    def connect_error(self, error: BaseException) -> ConnectError:
        """Return the error that says at which step connecting failed."""
        silence = getattr(error, SILENCE, None)  # to a question, by a server that had let us in
        stage = "SELECT 1" if silence else self.failed_stage(error)
        addresses = self._tried()
        told = silence or network.reason_of(error, addresses, self.profile.place) or self.error_text(error)
        through = " through the tunnel" if self.profile.tunnel else ""
        text = told or f"no answer within {self._patience():.3g} s{through}"
        transient = bool(silence) or self.is_transient(error, stage)
        if (transient or stage in {"TCP", "TLS"}) and (failed := self.tunnel_trouble(heard_before(error))):
            return failed
        if stage == "TCP" and not addresses:
            stage = "connection"  # to a socket file
        message = f"{self.profile.called}: {stage} failed: {text}"
        hint = doubt_of(self.profile) if stage == "login" and not transient else ""
        if stage == "database" and not transient and self.profile.database:
            hint = "" if self.error_code(error) in self.rights_missing else Remedy.CREATE_ON_SERVER
        if self.no_password and self.no_password in text:
            hint = Remedy.GIVE_PASSWORD
        return ConnectError(message, stage, hint, transient=transient)

    def lost_error(self, error: BaseException) -> ConnectError:
        """Return the error that says that a connection was lost at work, or its server silent for too long."""
        text = getattr(error, SILENCE, None) or self.error_text(error)
        if failed := self.tunnel_trouble(None):
            text = failed.message.removeprefix(f"{self.profile.called}: ")
        message = f"{self.profile.called}: the connection was lost: {text}"
        return ConnectError(message, transient=self._is_transient(error))

    def is_transient(self, error: BaseException, stage: str) -> bool:
        """Tell whether what made a step of connecting fail may heal by itself."""
        return network.may_heal(error, stage) or self._is_transient(error)

    def _is_transient(self, error: BaseException) -> bool:
        meaning = self.meaning(error)
        return meaning is not None and meaning.transient

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Raise dbctl's error for what SQLAlchemy or the driver raises in the block."""
        try:
            yield
        except Exception as error:
            translated = self.translate(error)
            if translated is None:
                raise
            raise translated from error

    def dooms(self, error: DbctlError, *, in_savepoint: bool) -> bool:
        """Tell whether nothing of a transaction may be committed after an error in it, translated, was passed over."""
        if isinstance(error, Contention) or (not in_savepoint and self.fails_whole):
            return True
        return isinstance(error, OutOfTime | ConnectError) and not in_savepoint

    def refused_value(self, error: BaseException) -> DbctlError | None:
        """Return dbctl's error for one of Python's own, by which a driver refuses a value before it sends it."""
        return None

    def pool_exhausted(self) -> OutOfTime:
        """Return the error that says that no connection came free in the pool's time."""
        pool = self.profile.pool
        return OutOfTime(
            f"{self.profile.called}: no connection came free within the pool's {pool.timeout:g} s "
            f"(size {pool.size}, overflow {pool.max_overflow})",
            "raise pool.size or pool.timeout, or hold connections for less long",
        )

    def translate(self, error: BaseException, *, committing: bool = False) -> DbctlError | None:
        """Return dbctl's error for one of this database's engine, or None where it is none of that.

        Args:
            error: What SQLAlchemy or the driver raised.
            committing: Whether it was raised by a COMMIT: a ConnectError then says that there was no answer to it.
        """
        from sqlalchemy import exc

        if isinstance(error, exc.TimeoutError):
            profile = profile_of_pool(error)
            return self.pool_exhausted() if profile and are_one_database(profile, self.profile) else None
        if isinstance(error, exc.PendingRollbackError):
            return WorkRefused(
                "an error was passed over after which the transaction can only be rolled back",
                "let it through, or catch it outside of a savepoint (session.begin_nested)",
            )
        if isinstance(error, exc.CompileError):
            return WorkRefused(f"{self.title} can't express it: {' '.join(str(error).split())}")
        wrapped = error.orig if isinstance(error, exc.DBAPIError) else None
        origin = origin_of(wrapped or error)
        if origin is None or not are_one_database(origin.profile, self.profile):
            return None
        if not wrapped and not isinstance(error, self.driver_errors()):
            return self.refused_value(error)
        lost = origin.lost or getattr(error, "connection_invalidated", False)
        return self._of_driver(wrapped or error, connecting=origin.connecting, lost=lost, committing=committing)

    def _of_driver(self, error: BaseException, *, connecting: bool, lost: bool, committing: bool) -> DbctlError:
        """Return dbctl's error for one of the driver's own, raised on a connection of this database's."""
        meaning = self.meaning(error)
        unsure = committing and (meaning.commit_unknown if meaning else not self.error_code(error))
        kind: type[DbctlError] = ConnectError if connecting or unsure or lost else WorkRefused
        if meaning and not unsure and not (connecting and meaning.stage):
            kind = meaning.error
        lost_how = self.connect_error if connecting else self.lost_error
        translated = lost_how(error) if issubclass(kind, ConnectError) else self._refusal(kind, error)
        translated.hint = getattr(error, HINT, "") or translated.hint
        translated.heals = meaning is not None and meaning.heals
        return translated

    def _refusal(self, kind: type[DbctlError], error: BaseException) -> DbctlError:
        """Return an error of a kind in the driver's words, with the place of what was refused, and what to do."""
        text, hint = getattr(error, OVERDUE, None) or (self.error_text(error), _HINTS.get(kind, ""))
        if issubclass(kind, Conflict) and (place := place_told(error)):
            text = text.rstrip(".") + place
        # A database in memory is gone with the command that creates its tables.
        return kind(text, "" if kind is MissingTable and self.profile.in_memory else hint)


def refused_by_sqlalchemy(error: BaseException) -> WorkRefused | None:
    """Return the error for what SQLAlchemy itself refused and no backend has a meaning for; None for any other error.

    It holds no value: of a statement's error only the driver's first line is told.
    """
    from sqlalchemy.exc import SQLAlchemyError

    if not isinstance(error, SQLAlchemyError):
        return None
    place = f" ({found})" if (found := place_of(error)) else ""
    return WorkRefused(f"SQLAlchemy refuses it: {described(error)}{place}", "correct the models, or the code that asks")


def place_told(error: BaseException) -> str:
    """Return what to add to the database's words so that they say where the refused value stands."""
    missing = [part for part in getattr(error, PLACE, ()) if part not in str(error)]
    return f" ({', '.join(missing)})" if missing else ""
