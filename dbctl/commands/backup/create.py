"""`dbctl backup create`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from dbctl.backups.creating import Made
from dbctl.connections.connector import Connector
from dbctl.errors import UsageError
from dbctl.work.effects import one_profile

PLACE = 1
PAGE = "backup"


@one_profile(lambda target, **_: "" if Path(target).is_dir() else "a file has room for the backup of one")
def create(
    connector: Connector,  # type: ignore[type-arg]
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DIRECTORY", help="The file; in a directory its name carries the time; - is stdout."
        ),
    ],
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, metavar="NUMBER", help="Keep so many of the newest in the directory.")
    ] = None,
    keep_weekly: Annotated[
        int | None, typer.Option("--keep-weekly", min=1, metavar="WEEKS", help="Keep the newest of so many weeks.")
    ] = None,
    keep_monthly: Annotated[
        int | None, typer.Option("--keep-monthly", min=1, metavar="MONTHS", help="Keep the newest of so many months.")
    ] = None,
    compress: Annotated[
        Literal["gzip", "zstd", "none"],
        typer.Option("--compress", help="How it is compressed, by the database's tool where that does it."),
    ] = "gzip",
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar="NUMBER", help="Write so many tables at a time, into a directory.")
    ] = 1,
    schema_only: Annotated[bool, typer.Option("--schema-only", help="Write definitions alone, without rows.")] = False,
    data_only: Annotated[bool, typer.Option("--data-only", help="Write rows alone, without definitions.")] = False,
    exclude_data: Annotated[
        list[str] | None,
        typer.Option("--exclude-data", metavar="TABLE", help="Leave out this table's rows; may be said again."),
    ] = None,
    with_globals: Annotated[
        bool, typer.Option("--globals", help="Write the server's roles and tablespaces beside it, by pg_dumpall.")
    ] = False,
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", metavar="FILE", help="Where the manifest of what stdout has is written."),
    ] = None,
) -> Made | None:
    """Back up the database by its own tool: pg_dump, mariadb-dump or mysqldump, SQLite's backup API.

    The file holds one moment. It is there whole or not at all, for its owner alone, and replaces none. Beside it a
    manifest says what is in it and what is not, with the rows of each table and a checksum. What --keep and its like
    do not keep is removed after a good new backup, of those of the same database and profile alone.

    Examples:
        $ dbctl backup create before-release.dump
        $ dbctl -p prod backup create /backups/ --keep 7 --keep-weekly 4 --keep-monthly 12 --lock backup
        $ dbctl -p prod backup create schema.dump --schema-only
    """
    import os
    import sys

    from dbctl.backends.backups import Extent
    from dbctl.backups import creating
    from dbctl.backups.keeping import Rules
    from dbctl.backups.writing import Wish

    if schema_only and data_only:
        raise UsageError("--schema-only and --data-only leave nothing to be written", "give one of them")
    extent = Extent(schema=not data_only, data=not schema_only, jobs=jobs)
    wish = Wish(extent, compress, with_globals, exclude_data or (), Rules(keep, keep_weekly, keep_monthly))
    if not target:
        raise UsageError("the target is empty", "name a file or a directory")
    if manifest == Path("-"):
        raise UsageError("--manifest names a file, and stdout has the backup", "name another")
    if target == "-":
        if sys.stdout is None or os.isatty(1):
            raise UsageError("stdout is no place for a backup", "lead it into a pipe or a file")
        creating.pour(connector, 1, manifest, wish)
        return None
    if manifest is not None:
        raise UsageError("--manifest is for a backup on stdout", "beside a file it has the file's own name")
    if target.endswith("/") and not Path(target).is_dir():
        raise UsageError(f"there is no directory {target}", "make it")
    return creating.create(connector, Path(target), wish)
