"""Running a script in one transaction, or, where it is asked for, each of its statements in its own."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from dbctl.backends.scripts import Statement, sql_text
from dbctl.connections.watching import told_if_ended, watched_by
from dbctl.errors import ConnectError, DbctlError, OutOfTime, Remedy, UsageError, WorkRefused
from dbctl.records import record
from dbctl.results import Step
from dbctl.runtime.deadlines import call_after
from dbctl.runtime.waits import started
from dbctl.scripts.endings import Ending
from dbctl.scripts.preparing import (
    Script,
    placed,
    refuse_client_words,
    refuse_transactions,
    tell_of_commits,
    with_parameters,
)
from dbctl.work.progress import report

if TYPE_CHECKING:
    from dbctl.backends.base import Backend
    from dbctl.work.database import Database

_log = logging.getLogger(__name__)


_SLACK = 0.3
"""Seconds beyond a statement's timeout: a server that ends it by itself says more."""


@record
class Done(Step):
    """What a statement of a script did.

    Attributes:
        line: The line that it begins in, from 1.
        statement: Its beginning.
        rows: How many rows it returned or changed; None where it has to do with none.
    """

    line: int
    statement: str
    rows: int | None


def run_script(
    database: Database, script: Script, parameters: Mapping[str, str], *, transaction: bool = True
) -> Sequence[Done]:
    """Run a script.

    Args:
        database: Where; its unit of work commits all of it.
        script: The script.
        parameters: The values that stand for `:name` in it, as texts.
        transaction: Whether all of it is one transaction, that of the unit of work; else each statement is one.

    Raises:
        UsageError: There is something in it that only a client of the database knows, or that ends a transaction; or a
            parameter is not in it, or it can't be run so in a dry run.
        WorkRefused: A statement failed; the message says where it stands.
    """
    backend = database.backend
    refuse_client_words(backend, script)
    if not transaction:
        if database.dry_run:
            raise UsageError("a dry run rolls all back, and without a transaction nothing can be", "say one of them")
        with _by_itself(database) as driver_connection:
            whole = with_parameters(backend, driver_connection, script, parameters)
            return list(_each_by_itself(database, driver_connection, whole))
    refuse_transactions(backend, script, Remedy.TAKE_OUT_OR_NO_TRANSACTION)
    connection = database.session.connection()
    driver_connection = connection.connection.driver_connection
    whole = with_parameters(backend, driver_connection, script, parameters)
    statements = backend.statements(whole.text)
    if not statements:
        return []  # which is an error to some servers
    told = tell_of_commits(database, whole)

    def place(number: int) -> str:
        return whole.place(statements[min(number, len(statements) - 1)].start)

    ending = Ending(backend, connection, place, told=told)
    done = list(_run(backend, driver_connection, whole, statements, whole.text, ending))
    ending.conclude(dry_run=database.dry_run)
    return done


def _run(
    backend: Backend,
    driver_connection: Any,
    script: Script,
    statements: Sequence[Statement],
    text: str,
    ending: Ending | None = None,
) -> Iterator[Done]:
    done = 0
    bounded = _Bounded(backend, driver_connection)
    try:
        for rows in bounded.each(backend.run_script(driver_connection, text)):
            if done < len(statements):
                one = statements[done]
                yield Done(script.line(one.start), sql_text(one.text), None if rows < 0 else rows)
            if ending is not None:
                ending.look(done)
            done += 1
            report(done, len(statements), "statements")
    except Exception as error:
        translated = bounded.error or backend.translate(error)
        if translated is None or isinstance(translated, ConnectError):
            raise
        if ending is not None:
            ending.failed(translated, done)
        raise placed(translated, backend, error, script, statements, done) from error


class _Bounded:
    """The profile's time limit of each statement, where SQLAlchemy does not see it and no server need bound it."""

    def __init__(self, backend: Backend, driver_connection: Any) -> None:
        self._backend, self._seconds = backend, backend.profile.statement_timeout
        self._cancel = backend.canceller(driver_connection)
        self.error: OutOfTime | None = None

    def each(self, items: Iterator[int]) -> Iterator[int]:
        """Yield the items, each of which is to come in time."""
        while True:
            began = time.monotonic()
            try:
                with call_after(self._seconds + _SLACK, self._end) if self._seconds else nullcontext():
                    item = next(items)
            except StopIteration:
                return
            except Exception as error:
                from dbctl.connections.statement_timeouts import tell_if_over

                tell_if_over(self._backend, error, time.monotonic() - began)
                raise
            if self.error is not None:
                raise self.error  # some databases make nothing of a statement that is ended
            yield item

    def _end(self) -> None:
        self.error = OutOfTime(f"statement_timeout {self._seconds:g} s: a statement took longer", Remedy.TAKE_LONGER)
        started(self._cancel)


def _each_by_itself(database: Database, driver_connection: Any, script: Script) -> Iterator[Done]:
    backend, kept = database.backend, 0
    for number, statement in enumerate(backend.statements(script.text), 1):
        blank = re.sub(r"[^\n]", " ", script.text[: statement.start])
        try:
            # Behind as many lines and blanks as stand before it: what a server says of places is true of the script.
            with _telling_remains(database, statement.text):
                yield from _run(backend, driver_connection, script, [statement], blank + statement.text)
        except DbctlError:
            if kept:
                before = "1 statement before it is" if kept == 1 else f"{kept} statements before it are"
                _log.warning("%s committed, and %s", before, "stays" if kept == 1 else "stay")
            raise
        if not backend.in_transaction(driver_connection):
            kept = number
    if backend.in_transaction(driver_connection):
        raise WorkRefused(f"{script.name}: its last transaction is not ended, and is rolled back", "end it with COMMIT")


@contextmanager
def _telling_remains(database: Database, statement: str) -> Iterator[None]:
    """Have whatever ends a statement tell what that has left, where it is one that may leave something."""
    backend = database.backend
    engine: Any = database.session.get_bind()
    if not (may_remain := backend.remains_of(statement)):
        yield
        return
    try:
        with told_if_ended(lambda: may_remain):
            yield
    except BaseException:
        try:
            with watched_by(None), engine.connect() as connection:  # who ends the work is not to end this question
                remains = backend.remains(connection, statement)
        except Exception:  # the error that is told is the statement's
            remains = may_remain
        if remains:
            _log.warning("%s", remains)
        raise


@contextmanager
def _by_itself(database: Database) -> Iterator[Any]:
    """Have a connection of the unit's engine on which each statement is committed by itself."""
    engine: Any = database.session.get_bind()
    connection = engine.raw_connection()
    try:
        database.backend.let_commit(connection.driver_connection)
        yield connection.driver_connection
    finally:
        connection.invalidate()  # it is no more as the pool's others are
