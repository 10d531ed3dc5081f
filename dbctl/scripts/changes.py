"""Running statements that write, in one transaction: how many rows each has changed is known before it is committed."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from dbctl.backends.scripts import Statement
from dbctl.errors import DbctlError
from dbctl.results import Result, Results, Rows, Single
from dbctl.scripts.endings import Ending
from dbctl.scripts.preparing import Script, tell_of_commits
from dbctl.scripts.queries import Query, Wanted, columns_of, single

if TYPE_CHECKING:
    from dbctl.work.database import Database

_log = logging.getLogger(__name__)

_COUNTED = re.compile(r"[\s(]*(?:INSERT|UPDATE|DELETE|MERGE|REPLACE)\b", re.IGNORECASE)
"""What a statement begins with each of whose rows that it returns is one that it has changed."""

_COUNTS_NONE = re.compile(r"[\s(]*(?:WITH|LOAD|COPY|CALL|EXECUTE|DO)\b", re.IGNORECASE)
"""What a statement begins with that may have changed no row; of any other the server's 0 says nothing."""

_ONLY_READS = re.compile(
    r"[\s(]*(?:SELECT|VALUES|TABLE|SHOW|EXPLAIN|DESC|DESCRIBE|SET|PRAGMA|ANALYZE)\b", re.IGNORECASE
)
"""What a statement begins with that changes no rows, unless a function that it calls does."""


def change(
    database: Database, script: Script, parameters: Mapping[str, str], wanted: Wanted, *, one_value: bool = False
) -> Rows[Any] | Results | Single:
    """Run a script that may write, have agreed what it has changed before that is committed, and tell it afterwards.

    Args:
        database: Where; its unit of work commits all of it.
        script: The script.
        parameters: The values that stand for `:name` in it, as texts or `Word`s.
        wanted: What is wanted of it; what is only explained is rolled back here.
        one_value: Whether the rows have to be one value, which is returned alone.

    Returns:
        The one statement's rows, or the number of those that it has changed; of several each one's result.

    Raises:
        UsageError: As `Query` says.
        WorkRefused: A statement was refused.
        CheckFailed: There are not as many rows as are wanted: those that were returned and those that were changed.
        ConfirmationNeeded: It was not agreed to.
    """
    changing = _Changing(database, Query(database, script, parameters, wanted))
    results = changing.run()
    value = single([one.rows.values for one in results if one.rows is not None]) if one_value else None  # type: ignore[misc]
    shown = value or _shown(results)
    wanted.check(changing.found, shown)
    if wanted.explain:
        database.session.rollback()
        return shown
    said = summary(results, changing.uncounted)
    if not changing.agreed:
        database.agree(said)
    if database.dry_run:
        _log.info("%s", said)
    else:  # a deferred constraint, a lock that is lost or another node may refuse the COMMIT yet
        event.listen(database.session, "after_commit", lambda _session: _log.info("%s", said), once=True)
    return shown


def summary(results: list[Result], uncounted: list[str]) -> str:
    """Return what statements have changed, as the beginning of a sentence."""
    total = sum(one.changed or 0 for one in results)
    said = "1 row changed" if total == 1 else f"{total or 'no'} rows changed"
    if uncounted:
        words = ", ".join(dict.fromkeys(uncounted))
        return f"{said}, and what {words} did, which is not counted in rows"
    return said


def _shown(results: list[Result]) -> Rows[Any] | Results:
    if len(results) > 1:
        return Results(results)
    [one] = results
    return one.rows if one.rows is not None else Rows(["changed"], [(one.changed,)], changed=one.changed)


class _Changing:
    """The statements of a query that may write, run one after the other."""

    def __init__(self, database: Database, query: Query) -> None:
        self._database = database
        self._query = query
        self.found = 0
        self.uncounted: list[str] = []
        """The first words of the statements of which nobody knows how many rows they have changed."""
        self.agreed = False

    def run(self) -> list[Result]:
        """Run all of them, and return their results."""
        query, backend = self._query, self._query.backend
        if query.wanted.explain:
            with backend.as_they_are(query.connection):
                return [self._run(statement) for statement in query.statements]
        told = tell_of_commits(self._database, query.script)
        if told:
            self._database.agree("nothing is run yet, and what commits by itself can't be taken back")
            self.agreed = True
        ending = Ending(backend, query.connection, self._place, told=told)
        results = []
        with backend.as_they_are(query.connection):
            for number, statement in enumerate(query.statements):
                try:
                    results.append(self._run(statement))
                except DbctlError as error:
                    ending.failed(error, number)
                    raise
                ending.look(number)
        ending.conclude(dry_run=self._database.dry_run)
        return results

    def _place(self, number: int) -> str:
        statements = self._query.statements
        return self._query.script.place(statements[min(number, len(statements) - 1)].start)

    def _run(self, statement: Statement) -> Result:
        query = self._query
        result = query.execute(statement, stream=False)
        code = query.backend.code(statement.text)
        rows: Rows[Any] | None = None
        if result.returns_rows:
            columns, values = columns_of(result), list(query.rows_of(statement, result))
            changed = len(values) if _COUNTED.match(code) else None
            rows = Rows(columns, self._cut(values))
            self.found += len(values)
        else:
            known = result.rowcount > 0 or (result.rowcount == 0 and (_COUNTED.match(code) or _COUNTS_NONE.match(code)))
            changed = result.rowcount if known else None
            self.found += changed or 0
        query.tell()
        if changed is None and not _ONLY_READS.match(code) and not query.wanted.explain:
            self.uncounted.append(code.split(maxsplit=1)[0].upper())
        return query.result_of(statement, changed=changed, rows=rows)

    def _cut(self, values: list[Any]) -> list[Any]:
        limit = self._query.wanted.limit
        if limit is None or len(values) <= limit:
            return values
        self._query.wanted.cut(limit)
        return values[:limit]
