"""`dbctl import`."""

from typing import Annotated, Literal

import typer

from dbctl.bulk.forms import Said
from dbctl.bulk.terms import How, Imported
from dbctl.errors import UsageError
from dbctl.work.database import Database
from dbctl.work.effects import one_profile, writes

PANEL = "Data"
PLACE = 45
PAGE = "import"


@one_profile(lambda files, **_: "standard input can be read once" if "-" in files else "")
@writes(creates="create", retries=0)
def import_(
    database: Database,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files to load; or - for standard input.")],
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The table, with its schema where need be.")],
    format_: Annotated[
        Said | None,
        typer.Option(
            "--format", metavar="FORMAT", help="What the files are, if their names do not tell: csv, jsonl.gz …"
        ),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME=COLUMN", help="The table's column for one of the file; none: left out."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B", help="The columns of a file without a header.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="COLUMN=VALUE", help="The same value in all rows; may be repeated."),
    ] = None,
    null: Annotated[str | None, typer.Option("--null", metavar="TEXT", help="What is NULL where unquoted.")] = None,
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", metavar="CHARACTER", help="What separates values.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", metavar="NAME", help="What the files are encoded in, if not UTF-8.")
    ] = None,
    skip: Annotated[int, typer.Option("--skip", min=0, metavar="LINES", help="Pass over lines before the header.")] = 0,
    exact: Annotated[
        bool, typer.Option("--strict/--no-strict", help="Refuse values that the database would bend.")
    ] = True,
    on_conflict: Annotated[
        Literal["error", "skip", "update"], typer.Option("--on-conflict", help="Where a row's key is there already.")
    ] = "error",
    key: Annotated[
        str | None, typer.Option("--key", metavar="A,B", help="The columns of that key, if not the primary one.")
    ] = None,
    max_errors: Annotated[
        int, typer.Option("--max-errors", min=0, metavar="ROWS", help="Load the rest where so many can't be loaded.")
    ] = 0,
    rejects: Annotated[
        str | None, typer.Option("--rejects", metavar="FILE", help="Write these to a file, with reasons.")
    ] = None,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Empty the table before, in the same transaction.")
    ] = False,
    defer_keys: Annotated[
        bool,
        typer.Option("--defer-keys", help="Look at foreign keys in the end: a row may refer to a later one."),
    ] = False,
    create: Annotated[
        bool, typer.Option("--create", help="Create a missing table from its model, or as Parquet has it.")
    ] = False,
) -> Imported:
    """Load files into a table, at the database's own speed, whole or not at all.

    Types are the table's and never guessed: what does not fit is an error that names file, line, column and value.

    Examples:
        $ dbctl import heroes.csv hero
        $ dbctl import 2026-*.csv.gz hero --on-conflict update --set team_id=1
        $ psql -c "COPY hero TO STDOUT CSV HEADER" | dbctl -p staging import - hero --truncate
    """
    from dbctl.bulk.columns import pairs
    from dbctl.bulk.importing import import_files

    if rejects and not max_errors:
        raise UsageError("--rejects is about the rows that --max-errors lets be left out", "say both")
    if key and on_conflict == "error":
        raise UsageError("--key is about --on-conflict skip or update", "say both")
    if defer_keys and on_conflict == "update":
        raise UsageError("--defer-keys looks at the keys of this table, and an update may break others'", "say one")
    how = How(
        format=format_,
        delimiter=_one_character(delimiter),
        null=null,
        encoding=encoding,
        skip=skip,
        columns=columns.split(",") if columns else None,
        renamed=pairs("--map", map_ or (), empty=True),
        given=pairs("--set", set_ or (), empty=True),
        strict=exact,
        conflict=on_conflict,
        key=key.split(",") if key else (),
        truncate=truncate,
        defer_keys=defer_keys,
        create=create,
        max_errors=max_errors,
        rejects=rejects,
    )
    return import_files(database, files, table, how)


def _one_character(delimiter: str | None) -> str | None:
    if delimiter is None:
        return None
    found = {"tab": "\t", r"\t": "\t"}.get(delimiter, delimiter)
    if len(found) != 1 or found in '"\r\n':
        raise UsageError(f"--delimiter {delimiter}: it is to be one character", "such as ; or | or tab")
    return found
