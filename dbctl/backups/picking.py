"""Single tables of a backup: found in its manifest, and brought into a database that has others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backups import loading, proving
from dbctl.backups.manifest import called
from dbctl.backups.scratch import properties_of, scratch
from dbctl.connections.connector import opened
from dbctl.connections.watching import begin_what_is_not_divided
from dbctl.databases.places import name_of, on_server
from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from dbctl.backends.backups import TableNames
    from dbctl.backups.keeping import Found
    from dbctl.backups.manifest import Manifest, Table
    from dbctl.profiles import Profile


def picked(backup: Found, names: Sequence[str]) -> Found:
    """Return a backup of whose manifest some tables alone are left, with their partitions; itself without names.

    Args:
        backup: The backup.
        names: The tables, as `table` or `schema.table`.

    Raises:
        NotFound: One is not in it.
        UsageError: One is in several schemas.
    """
    if not names:
        return backup
    found = [table for name in names for table in called(name, backup.manifest.tables, str(backup.path))]
    return replace(backup, manifest=replace(backup.manifest, tables=list(dict.fromkeys(found))))


def names_of(manifest: Manifest) -> TableNames:
    """Return the tables of a manifest, each partitioned one in the place of its partitions."""
    return list(dict.fromkeys(_whole(one) for one in manifest.tables))


def _whole(table: Table) -> tuple[str | None, str]:
    if table.part_of is None:
        return table.schema, table.table
    schema, _, name = table.part_of.partition(".")
    return schema, name


def refuse_existing(target: Profile, backup: Found) -> None:
    """Do nothing where a database has none of a manifest's tables.

    Raises:
        WorkRefused: It has one, which is not replaced.
    """
    from sqlalchemy import inspect

    with opened(target) as connector, connector.engine.connect() as connection:
        there = inspect(connection)
        for schema, name in names_of(backup.manifest):
            if there.has_table(name, schema):
                raise WorkRefused(
                    f"{target.called}: {name_of(target)} has a table {name} already, which is not replaced",
                    "rename it first, or restore into a new database",
                )


def bring_into(target: Profile, backup: Found, *, owners: bool) -> None:
    """Bring tables into a server's database that has none of them.

    Args:
        target: The database's profile.
        backup: The backup, with those tables in its manifest.
        owners: Whether they get the owners that they had.
    """
    tables = names_of(backup.manifest)
    with on_server(target) as (connection, plain):
        backend = plain.backups
        if backend.loads_beside:
            name = name_of(target)
            loading.load(backup, connection, backend, name, owners=owners, tables=tables, beside=True)
            return
    with scratch(target, "restore", properties_of(target)) as made:
        loading.load(backup, made.connection, made.backend, made.name, owners=owners, tables=tables)
        keys = made.backend.loosen(made.connection, made.name)
        proving.refuse_different(backup, target.model_copy(update={"database": made.name}))
        begin_what_is_not_divided()
        with made.backend.translating():
            made.backend.bring(made.connection, made.name, name_of(target), tables, keys)


def copy_into(target: Profile, backup: Found, source: Path) -> None:
    """Copy tables from a file into the profile's, which has none of them.

    Args:
        target: The profile of the file.
        backup: The backup, with those tables in its manifest.
        source: The file that they are in.
    """
    with opened(target) as connector, connector.engine.connect() as connection, connector.backend.translating():
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        connector.backend.backups.bring(autocommit, str(source), str(target.database), names_of(backup.manifest), ())
