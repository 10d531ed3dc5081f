"""Running statements to look at what they give: in a transaction that only reads, each with its result.

Rows come by a server-side cursor, one statement's after the other's; nothing of it is ever committed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.scripts import Statement, sql_text
from dbctl.errors import CheckFailed, ConnectError, NotFound, Remedy, UsageError, WorkRefused
from dbctl.records import record
from dbctl.results import Result, Results, Rows, Single
from dbctl.scripts.preparing import Script, hint_for, refuse_client_words, refuse_transactions, with_parameters
from dbctl.work.streaming import MOST_BUFFERED, fetched

if TYPE_CHECKING:
    from dbctl.work.database import Database

_log = logging.getLogger(__name__)

_MOST_SAID = 10
"""Notices or warnings of one statement that are told."""


@record
class Wanted:
    """What is wanted of a query.

    Args:
        limit: How many rows of each statement to show; all unless given.
        cut: Called with the limit where there are more.
        rows: How many rows there have to be in all, or None.
        explain: Whether to ask how the statements would be run, and to run none.
        analyze: Whether to run and to measure them for that.
    """

    limit: int | None = None
    cut: Callable[[int], None] = lambda _limit: None
    rows: int | None = None
    explain: bool = False
    analyze: bool = False

    def check(self, found: int, result: object = None, *, all_counted: bool = True) -> None:
        """Hold a number of rows against the one that is wanted.

        Args:
            found: How many there are.
            result: What the error shows.
            all_counted: Whether there are no more than these.

        Raises:
            CheckFailed: It is another one.
        """
        if self.rows is None or found == self.rows:
            return
        number = f"more than {self.rows} rows"
        if all_counted:
            number = "1 row" if found == 1 else f"{found} rows"
        expected = f"{self.rows or 'none'} {'was' if self.rows == 1 else 'were'}"
        raise CheckFailed(f"{number}, where {expected} expected", result)


class Query:
    """A script whose statements are run one by one on the connection of a unit of work.

    Args:
        database: Where.
        script: The script.
        parameters: The values that stand for `:name` in it.
        wanted: What is wanted of it.

    Raises:
        UsageError: There is no statement in it, or what only a client knows, or what ends a transaction; or a parameter
            is not in it.
    """

    def __init__(self, database: Database, script: Script, parameters: Mapping[str, str], wanted: Wanted) -> None:
        self.backend = database.backend
        self.connection = database.session.connection()
        self.wanted = wanted
        refuse_client_words(self.backend, script)
        refuse_transactions(self.backend, script, Remedy.RUN_AS_SCRIPT)
        self.driver_connection = self.connection.connection.driver_connection
        self.script = with_parameters(self.backend, self.driver_connection, script, parameters)
        self.statements = self.backend.statements(self.script.text)
        if not self.statements:
            raise UsageError(f"{script.name}: there is no statement in it")
        self._before = self.backend.explaining(self.connection, analyze=wanted.analyze) if wanted.explain else ""

    def execute(self, statement: Statement, *, stream: bool) -> Any:
        """Send a statement, and return SQLAlchemy's result.

        Raises:
            WorkRefused: It was refused; the message says where it stands.
        """
        text = self._before + statement.text
        options = {
            "no_parameters": True,
            "stream_results": stream and self.backend.can_stream(text),
            "max_row_buffer": MOST_BUFFERED,
        }
        try:
            return self.connection.exec_driver_sql(text, execution_options=options)
        except Exception as error:
            raise self._placed(error, statement, text) from error

    def rows_of(self, statement: Statement, result: Any) -> Generator[Sequence[Any], None, None]:
        """Yield a result's rows as they are fetched.

        Raises:
            WorkRefused: The statement failed between two rows.
        """
        try:
            yield from fetched(self.connection, result)
        except Exception as error:
            raise self._placed(error, statement, self._before + statement.text) from error

    def tell(self) -> None:
        """Tell what the server has said of the statement that is done."""
        if self.wanted.explain:
            return  # some word there how they have rewritten it
        said = self.backend.said(self.connection)
        for text in said[:_MOST_SAID]:
            _log.log(logging.INFO if text.startswith(self.backend.harmless_words) else logging.WARNING, "%s", text)
        if len(said) > _MOST_SAID:
            _log.warning("and %d more", len(said) - _MOST_SAID)

    def result_of(self, statement: Statement, **found: Any) -> Result:
        """Return a statement's result, with what it is called by."""
        return Result(self.script.line(statement.start), sql_text(statement.text), **found)

    def _placed(self, error: Exception, statement: Statement, text: str) -> Exception:
        """Return the error with the place in the script that it is about, or as it is where it is about none."""
        translated = self.backend.translate(error)
        if translated is None or isinstance(translated, ConnectError):
            return error
        raised: BaseException = getattr(error, "orig", None) or error
        offset = self.backend.sent_offset(raised, text) - len(self._before)
        offset = max(0, min(offset, len(statement.text)))
        place = self.script.place(statement.start + offset)
        translated.message = f"{place}: {translated.message}, in: {sql_text(statement.text)}"
        if self.backend.no_transaction and re.search(self.backend.no_transaction, translated.message):
            translated.hint = Remedy.RUN_AS_SCRIPT
        translated.hint = hint_for(translated, self.backend, statement.text, offset)
        return translated


def look(database: Database, script: Script, parameters: Mapping[str, str], wanted: Wanted) -> Rows[Any] | Results:
    """Run a script that only reads, and return its results, whose rows come as they are drawn.

    Args:
        database: Where; what was done in its transaction is rolled back when all is drawn.
        script: The script.
        parameters: The values that stand for `:name` in it, as texts or `Word`s.
        wanted: What is wanted of it.

    Returns:
        The rows of the one statement; or of several each one's result.

    Raises:
        UsageError: As `Query` says.
        WorkRefused: A statement was refused, as one that writes is.
        CheckFailed: There are not as many rows as are wanted; when all is drawn.
    """
    looking = _Looking(database, Query(database, script, parameters, wanted))
    return looking.one() if len(looking.query.statements) == 1 else Results(looking.each(), looking.check)


def look_for_one(database: Database, script: Script, parameters: Mapping[str, str]) -> Single:
    """Run a script that only reads, and return the one value that it gives.

    Raises:
        NotFound: There is no row.
        WorkRefused: There are several rows, or not one value in the one.
    """
    looking = _Looking(database, Query(database, script, parameters, Wanted(limit=2)))
    return single([list(one.rows.values) for one in looking.each() if one.rows is not None])


def single(found: Iterable[Sequence[Sequence[Any]]]) -> Single:
    """Return the one value in the rows of several results.

    Raises:
        NotFound: There is no row.
        WorkRefused: There are several rows, or not one value in the one.
    """
    rows = [row for rows in found for row in rows]
    if not rows:
        raise NotFound("there is no row, where one value was asked for")
    if len(rows) > 1:
        raise WorkRefused("there are several rows, where one value was asked for")
    if len(rows[0]) != 1:
        raise WorkRefused(f"there are {len(rows[0])} values in the row, where one was asked for")
    return Single(rows[0][0])


class _Looking:
    """The statements of a query that only reads, run one after the other."""

    def __init__(self, database: Database, query: Query) -> None:
        self.query = query
        self._database = database
        self._found = 0
        self._is_whole = True
        self._stopped = False

    def check(self) -> None:
        """Hold the rows that were found against those that are wanted."""
        self.query.wanted.check(self._found, all_counted=not self._stopped)

    def one(self) -> Rows[Any]:
        """Run the only statement at once, and return its rows."""
        each = self.each()
        rows = next(each).rows or Rows((), ())

        def values() -> Iterator[Sequence[Any]]:
            try:
                yield from rows.values
                next(each, None)
            finally:
                each.close()

        return Rows(rows.columns, values(), conclude=self.check)

    def each(self) -> Generator[Result, None, None]:
        """Run each statement when the rows of the one before are drawn, and roll back at the end."""
        query = self.query
        with query.backend.as_they_are(query.connection), query.backend.kept_from_writing(query.connection):
            for statement in query.statements:
                query.backend.refuse_writing(statement.text)
                result = query.execute(statement, stream=True)
                if result.returns_rows:
                    values = self._limited(query.rows_of(statement, result))
                    try:
                        yield query.result_of(statement, rows=Rows(columns_of(result), values))
                    finally:
                        values.close()
                else:
                    yield query.result_of(statement)
                if self._is_whole:
                    query.tell()
                self._refuse_ended(statement)
        self._database.session.rollback()

    def _limited(self, rows: Generator[Sequence[Any], None, None]) -> Generator[Sequence[Any], None, None]:
        """Yield as many rows as are to be shown, and count further as long as that is of use."""
        wanted, shown = self.query.wanted, 0
        self._is_whole = False
        try:
            for row in rows:
                self._found += 1
                if wanted.limit is None or shown < wanted.limit:
                    shown += 1
                    yield row
                    continue
                if shown == wanted.limit:
                    shown += 1
                    wanted.cut(wanted.limit)
                if wanted.rows is None or self._found > wanted.rows:
                    self._stopped = True
                    return
            self._is_whole = True
        finally:
            rows.close()

    def _refuse_ended(self, statement: Statement) -> None:
        query = self.query
        if not query.backend.is_read_only(query.connection):
            place, text = query.script.place(statement.start), sql_text(statement.text)
            raise WorkRefused(f"{place}: the transaction reads only, and this ends that: {text}")


def columns_of(result: Any) -> list[str]:
    """Return the names of a result's columns, as the server has them."""
    return [each[0] for each in result.cursor.description]
