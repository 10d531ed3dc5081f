"""What a driver's errors mean: dbctl's own errors for them, and whether what failed may heal."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

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
from dbctl.runtime import network
from dbctl.runtime.deadlines import time_to_connect

if TYPE_CHECKING:
    import socket

    from dbctl.profiles import Profile


_HINTS: Mapping[type[DbctlError], str] = {
    MissingTable: Remedy.CREATE_TABLES,
    Contention: "try again when less is going on",
    NoSpace: "free some where the database keeps its data, and run it again",
}

SILENCE = "dbctl_silence"
"""The attribute of a driver's error that says for how long its server was silent."""

CONNECTED = "dbctl_connected"
"""The attribute of a driver's error that says that there was a connection when it came."""

PLACE = "dbctl_place"
"""The attribute of a driver's error that says where the value stands that a constraint refused."""


class Diagnosis:
    """The part of a backend that understands errors. A driver's codes are class attributes of the database's file."""

    title: ClassVar[str]
    errors: ClassVar[Mapping[Any, type[DbctlError]]] = {}
    """The driver's error codes, as `error_code` returns them, and what they mean here."""
    transient: ClassVar[Collection[Any]] = ()
    """The driver's error codes for what may heal by itself while one connects."""
    heals: ClassVar[Collection[Any]] = ()
    """The driver's error codes for what a further run of the whole unit of work may heal."""
    leaves: ClassVar[Collection[Any]] = ()
    """The driver's error codes after which a connection is given up though it is still open: another may do."""
    unsure: ClassVar[Collection[Any]] = ()
    """The driver's error codes for a COMMIT that may have been done all the same."""
    fails_whole: ClassVar[bool] = False
    """Whether any error, outside of a savepoint, leaves a transaction that can only be rolled back."""
    column_patterns: ClassVar[Sequence[str]] = ()
    """Regular expressions whose one group is what the database calls the columns, or the key, of a constraint."""
    profile: Profile

    def addresses(self) -> Sequence[tuple[str, int]]:
        """Return the hosts and ports that the driver tries, in its order; none where it is no matter of TCP."""
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

    def error_text(self, error: BaseException) -> str:
        """Return what the driver says of an error, on one line."""
        # libpq says the same twice where it tried twice, with TLS and without.
        return " ".join(dict.fromkeys(" ".join(line.split()) for line in str(error).splitlines()))

    def failed_stage(self, error: BaseException) -> str:
        """Name the step of connecting at which the driver failed, as far as Python's own errors tell."""
        step = network.failed_step(error)
        return network.silent_step(self.addresses(), self.first_silence) if step == "silence" else step

    async def opening(self, connecting: Awaitable[Any]) -> Any:
        """Await an async driver's connect, and translate what it raises that is none of the driver's own errors.

        Raises:
            ConnectError: The network, the name or TLS failed.
        """
        import asyncio

        try:
            async with asyncio.timeout(time_to_connect(self.profile.connect_timeout)):
                return await connecting
        except TimeoutError as error:
            raise await asyncio.to_thread(self.connect_error, error) from error  # which may knock at the server's port
        except OSError as error:  # TimeoutError and ssl.SSLError are OSErrors too
            raise self.connect_error(error) from error

    def connect_error(self, error: BaseException) -> ConnectError:
        """Return the error that says at which step connecting failed."""
        stage = self.failed_stage(error)
        text = self.error_text(error) or f"no answer within {self.profile.connect_timeout:g} s"
        message = f"profile {self.profile.name}: {stage} failed: {text}"
        return ConnectError(message, stage, transient=self.is_transient(error, stage))

    def lost_error(self, error: BaseException) -> ConnectError:
        """Return the error that says that a connection was lost at work, or its server silent for too long."""
        text = getattr(error, SILENCE, None) or self.error_text(error)
        message = f"profile {self.profile.name}: the connection was lost: {text}"
        return ConnectError(message, transient=self.error_code(error) in self.transient)

    def is_transient(self, error: BaseException, stage: str) -> bool:
        """Tell whether what made a step of connecting fail may heal by itself."""
        return network.may_heal(error, stage) or self.error_code(error) in self.transient

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

    def translate(self, error: BaseException, *, committing: bool = False) -> DbctlError | None:
        """Return dbctl's error for one of SQLAlchemy's or the driver's, or None where it is none of theirs.

        Args:
            error: What was raised.
            committing: Whether it was raised by a COMMIT: a ConnectError then says that there was no answer to it.
        """
        from sqlalchemy import exc

        if isinstance(error, exc.TimeoutError):
            pool = self.profile.pool
            return OutOfTime(
                f"profile {self.profile.name}: no connection came free within the pool's {pool.timeout:g} s "
                f"(size {pool.size}, overflow {pool.max_overflow})",
                "raise pool.size or pool.timeout, or hold connections for less long",
            )
        if isinstance(error, exc.PendingRollbackError):
            return WorkRefused(
                "an error was passed over after which the transaction can only be rolled back",
                "let it through, or catch it outside of a savepoint (session.begin_nested)",
            )
        if isinstance(error, exc.CompileError):
            return WorkRefused(f"{self.title} can't express it: {' '.join(str(error).split())}")
        if isinstance(error, self.driver_errors()):
            original, connecting = error, True  # from the pool, where SQLAlchemy hands on what connecting raised
        elif isinstance(error, exc.DBAPIError) and error.orig is not None:
            original = error.orig
            # A ROLLBACK has no statement either.
            connecting = error.statement is None and not committing and not getattr(original, CONNECTED, False)
        else:
            return None
        code = self.error_code(original)
        unsure = committing and (not code or code in self.unsure)
        lost = connecting or unsure or getattr(error, "connection_invalidated", False)
        kind = ConnectError if unsure else self.errors.get(code, ConnectError if lost else WorkRefused)
        translated: DbctlError
        if issubclass(kind, ConnectError):
            translated = self.connect_error(original) if connecting else self.lost_error(original)
        else:
            text = self.error_text(original)
            if issubclass(kind, Conflict) and (place := place_told(original)):
                text = text.rstrip(".") + place
            translated = kind(text, _HINTS.get(kind, ""))
        translated.heals = code in self.heals
        return translated


def place_told(error: BaseException) -> str:
    """Return what to add to the database's words so that they say where the refused value stands."""
    missing = [part for part in getattr(error, PLACE, ()) if part not in str(error)]
    return f" ({', '.join(missing)})" if missing else ""
