"""`dbctl query`."""

import logging
import sys
from typing import Annotated, Any

import typer

from dbctl.errors import UsageError
from dbctl.results import Results, Rows, Single
from dbctl.scripts.parameters import parameters_of
from dbctl.work.database import Database
from dbctl.work.effects import writes

PANEL = "Data"
PLACE = 21
PAGE = "query"

_ON_A_TERMINAL = 1000
"""Rows of each statement that are shown on a terminal unless something else is said."""

_log = logging.getLogger(__name__)


@writes(only_with="write", asks=True, repeatable=True, retries=0)
def query(
    database: Database,
    sql: Annotated[
        str | None, typer.Argument(metavar="SQL", help="One statement or several; or - for standard input.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="A file of statements, in the place of SQL.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param", metavar="NAME=VALUE", help="What :NAME stands for; may be repeated. NAME:number=VALUE."
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Let it write, and commit it.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=0, metavar="ROWS", help="Show no more of each result; 1000 on a terminal, 0 for all."
        ),
    ] = None,
    single: Annotated[
        bool, typer.Option("--single", help="Print the one value bare; exit with 1 if it is not one.")
    ] = False,
    expect_rows: Annotated[
        int | None, typer.Option("--expect-rows", min=0, metavar="ROWS", help="Exit with 6 unless there are so many.")
    ] = None,
    expect_none: Annotated[bool, typer.Option("--expect-none", help="Exit with 6 if there is a row.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show how it would be run.")] = False,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="With --explain: run it, measure it, roll it back.")
    ] = False,
) -> Rows[Any] | Results | Single:
    """Run statements of SQL and show what they give; the database refuses to write unless --write is said.

    Rows are shown as they come. With --write it is told how many rows were changed; a protected profile is asked for
    with that number, before it is committed.

    Examples:
        $ dbctl -p prod query "SELECT name, age FROM hero ORDER BY name" --json
        $ dbctl query -f overdue.sql --param day=2026-01-31 --expect-none
        $ dbctl -p prod query --write "UPDATE hero SET age = 17 WHERE name = :name" --param name=Spider-Boy
    """
    from dbctl.scripts.changes import change
    from dbctl.scripts.preparing import Script
    from dbctl.scripts.queries import Wanted, look, look_for_one
    from dbctl.scripts.sources import STDIN, script_in

    if expect_none and expect_rows is not None:
        raise UsageError("--expect-none and --expect-rows are both given", "give one of them")
    expected = 0 if expect_none else expect_rows
    if single and (expected is not None or explain):
        raise UsageError("--single expects one value by itself", "leave the other one out")
    if analyze and not explain:
        raise UsageError("--analyze is about --explain", "say both")
    if database.dry_run and not write:
        raise UsageError("--dry-run is about what --write changes", "say both, or neither")
    if (sql is None) == (file is None):
        raise UsageError(
            "there is to be one of SQL and --file", "write the statement, or name a file, or - for standard input"
        )
    script = Script("the query", sql) if sql is not None and sql != STDIN else script_in(file or STDIN)
    shown = (_ON_A_TERMINAL if sys.stdout is not None and sys.stdout.isatty() else 0) if limit is None else limit
    wanted = Wanted(shown or None, _tell_of_more, expected, explain, analyze)
    parameters = parameters_of(param or ())
    if write:
        return change(database, script, parameters, wanted, one_value=single)
    return look_for_one(database, script, parameters) if single else look(database, script, parameters, wanted)


def _tell_of_more(limit: int) -> None:
    _log.warning("there are more than these %d rows; --limit 0 shows all", limit)
