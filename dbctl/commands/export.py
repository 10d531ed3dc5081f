"""`dbctl export`."""

from typing import Annotated

import typer

from dbctl.bulk.export_manifest import Exported
from dbctl.bulk.forms import Said
from dbctl.connections.connector import Connector
from dbctl.errors import UsageError
from dbctl.work.effects import one_profile

PANEL = "Data"
PLACE = 29
PAGE = "export"


@one_profile(lambda **_: "the files of one would replace those of another")
def export(
    connector: Connector,  # type: ignore[type-arg]
    table: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="The table or view, as table or schema.table; not with --sql and --all."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Argument(metavar="FILE|DIRECTORY", help="Where to; stdout if it is left out, or -."),
    ] = None,
    sql: Annotated[
        str | None, typer.Option("--sql", metavar="QUERY", help="Export what a query gives, in the place of a table.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Export all tables, each into a file in the directory.")] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="TABLE", help="With --all: not this one; may be repeated, or a pattern."),
    ] = None,
    format_: Annotated[
        Said | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv, tsv, jsonl, json or parquet, also as csv.gz or csv.zst; by the file's ending unless it is said.",
        ),
    ] = None,
    null: Annotated[
        str | None, typer.Option("--null", metavar="TEXT", help="What NULL is in CSV; nothing unless it is said.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace files that are there.")] = False,
    manifest: Annotated[
        bool, typer.Option("--manifest", help="Tell rows, checksums and the moment in a file beside them.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar="NUMBER", help="Read so many tables at a time, on PostgreSQL.")
    ] = 1,
) -> list[Exported] | None:
    """Export a table, a query or all tables to files: CSV, TSV, JSON lines, JSON or Parquet, compressed or not.

    All of it is of one moment. A file is there whole or not at all, of --all all of them or none. What import reads of
    it is equal to what was there: the page formats says how each type is written.

    Examples:
        $ dbctl export hero heroes.csv
        $ dbctl export --sql "SELECT name, age FROM hero WHERE age > 30" old.jsonl.gz
        $ dbctl -p prod export --all /exports/today --format parquet --manifest
    """
    import os
    import sys
    from pathlib import Path

    from dbctl.bulk import exporting
    from dbctl.bulk.forms import form_of

    if (sql is not None) + all_ + (table is not None and target is not None) > 1:
        raise UsageError("there is to be one of TABLE, --sql and --all", "give one of them")
    if sql is not None or all_:
        table, target = None, table
    elif table is None:
        raise UsageError("nothing is named that could be exported", "name a table, or say --sql QUERY or --all")
    path = None if target in {None, "-"} else Path(target or "")
    if target == "":
        raise UsageError("the file's name is empty", "name a file or a directory")
    is_directory = path is not None and (path.is_dir() or all_)
    form = form_of(None if is_directory else path, format_, null)
    if exclude and not all_:
        raise UsageError("--exclude is about --all", "leave one of them out")
    wish = exporting.Wish(table, sql, all_, form, replace, manifest, jobs, exclude or ())
    if path is not None:
        return list(exporting.export(connector, path, wish))
    if all_ or manifest or jobs > 1:
        raise UsageError("stdout has room for one table, and none beside it", "name a directory, or a file")
    if sys.stdout is None or os.isatty(1):
        raise UsageError("stdout is no place for rows in bulk", "lead it into a pipe or a file, or use query to look")
    exporting.pour(connector, 1, wish)
    return None
