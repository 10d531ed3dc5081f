"""A script before it is run: what no server knows is refused, parameters are put in, and each place has a name."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.scripts import Statement, sql_text
from dbctl.errors import DbctlError, Remedy, UsageError, WorkRefused
from dbctl.records import record
from dbctl.scripts.parameters import Word

if TYPE_CHECKING:
    from dbctl.backends.base import Backend
    from dbctl.work.database import Database

_log = logging.getLogger(__name__)

_TRANSACTION = r"(?:BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK(?!\s+(?:WORK\s+)?TO\b)|ABORT|END)\b"


_PARAMETER = r"(?<![:\w]):(?P<name>{})\b(?!:[^:])"
"""A regular expression for a parameter of one of these names."""


@record
class Script:
    """A script, and where it came from.

    Args:
        name: What messages call it.
        text: What is in it.
    """

    name: str
    text: str

    def place(self, offset: int) -> str:
        """Return the line and the column of a place in it, both from 1."""
        before = self.text[:offset]
        return f"{self.name}, line {before.count(chr(10)) + 1}, column {offset - before.rfind(chr(10))}"

    def line(self, offset: int) -> int:
        """Return the line of a place in it, from 1."""
        return self.text.count("\n", 0, offset) + 1


def refuse_client_words(backend: Backend, script: Script) -> None:
    """Refuse what only a client of the database knows.

    Raises:
        UsageError: There is something of the kind; the message says where.
    """
    code = backend.code(script.text)
    if found := re.search(rf"^[ \t]*(?P<word>{backend.client_words})", code, re.MULTILINE | re.IGNORECASE):
        word = sql_text(found["word"])
        raise UsageError(
            f"{script.place(found.start('word'))}: {word} is a client's own word, which no server knows",
            "take it out, or run the script with that client",
        )


def refuse_transactions(backend: Backend, script: Script, remedy: Remedy) -> None:
    """Refuse what begins or ends a transaction, which all of the script is one of.

    Args:
        backend: The database's own.
        script: The script.
        remedy: What whoever wants that can do.

    Raises:
        UsageError: There is something of the kind; the message says where.
    """
    for statement in backend.statements(script.text):
        if found := re.match(_TRANSACTION, statement.text, re.IGNORECASE):
            raise UsageError(
                f"{script.place(statement.start)}: {found[0].upper()}: the script is one transaction already",
                remedy,
            )


def tell_of_commits(database: Database, script: Script) -> bool:
    """Tell which statement commits by itself, as DDL does on MySQL; in a dry run it is an error.

    Returns:
        Whether there is one.
    """
    for statement in database.backend.statements(script.text):
        if word := database.backend.commits_by_itself(statement.text):
            place = script.place(statement.start)
            if database.dry_run:
                raise WorkRefused(f"{place}: {word} commits by itself, and can't be run dry; nothing was run")
            _log.warning("%s: %s commits by itself: what was done until there stays, whatever comes", place, word)
            return True
    return False


def placed(
    error: DbctlError,
    backend: Backend,
    raised: BaseException,
    script: Script,
    statements: Sequence[Statement],
    done: int,
) -> DbctlError:
    """Return an error with the place that it tells, or else with that of the statement after those that are done.

    A server may read all of a script before it runs any of it.
    """
    if done >= len(statements):
        error.message = f"{script.name}: {error.message}"
        return error
    offset = min(backend.failed_offset(raised, statements[done]), len(script.text))
    failed = next((one for one in reversed(statements) if one.start <= offset), statements[done])
    error.message = f"{script.place(offset)}: {error.message}, in: {sql_text(failed.text)}"
    if backend.no_transaction and re.search(backend.no_transaction, error.message):
        error.hint = Remedy.NO_TRANSACTION
    error.hint = hint_for(error, backend, failed.text, offset - failed.start)
    return error


def hint_for(error: DbctlError, backend: Backend, statement: str, offset: int) -> str:
    """Return what to do about a statement that somebody has typed; the arguments are those of `_lacking_parameter`."""
    if error.hint is Remedy.CREATE_TABLES:
        return Remedy.LIST_TABLES  # its name may be misspelt, or that of no model's
    return error.hint or _lacking_parameter(backend, statement, offset)


def _lacking_parameter(backend: Backend, statement: str, offset: int) -> str:
    """Return what to do where a statement failed at the name of a parameter that has no value; "" where it did not.

    Args:
        backend: The database's own.
        statement: The statement.
        offset: Where in it the server has found what is wrong; 0 also where it tells no place.
    """
    any_name = _PARAMETER.format(r"[^\W\d]\w*")
    for found in re.finditer(f"{backend.quoted}|{any_name}", statement):
        if found["name"] and offset in {0, found.start()}:
            return f"give :{found['name']} its value with --param {found['name']}=VALUE"
    return ""


def with_parameters(backend: Backend, driver_connection: Any, script: Script, parameters: Mapping[str, str]) -> Script:
    """Return the script with the values of parameters, as literals, in their place."""
    if not parameters:
        return script
    names = "|".join(map(re.escape, parameters))
    used: set[str] = set()

    def value(match: re.Match[str]) -> str:
        if match["name"] is None:
            return match[0]
        used.add(match["name"])
        found = parameters[match["name"]]
        return found if isinstance(found, Word) else backend.literal(driver_connection, found)

    text = re.sub(f"{backend.quoted}|{_PARAMETER.format(names)}", value, script.text)
    if unused := [name for name in parameters if name not in used]:
        raise UsageError(
            f"{script.name}: there is no :{unused[0]} in it", "leave the parameter out, or correct its name"
        )
    return Script(script.name, text)
