"""What a service's models say of a table, where the database itself does not: which columns have UUIDs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.tables.models import metadata_of

if TYPE_CHECKING:
    from sqlalchemy import Table

    from dbctl.backends.inventory import Relation
    from dbctl.profiles import Profile


def table_of(profile: Profile, name: str, schema: str | None) -> Table | None:
    """Return the table that a profile's models define; None where there is none, or there are no models.

    Args:
        profile: The profile.
        name: The table's name.
        schema: Its schema; None for the usual one.

    Raises:
        ConfigError: A module can't be imported, or defines no table.
    """
    if not profile.models:
        return None
    key = f"{schema}.{name}" if schema else name
    found = metadata_of(profile.models, profile.app_dir or ".", profile.exclude)
    return next((metadata.tables[key] for metadata in found if key in metadata.tables), None)


def with_uuids(
    profile: Profile, relation: Relation, usual: str | None, columns: Sequence[BulkColumn]
) -> Sequence[BulkColumn]:
    """Return a table's columns, those as UUIDs that are so in its model and texts of 32 characters in the database.

    The models are imported only where there are such texts.
    https://docs.sqlalchemy.org/en/20/core/type_basics.html#sqlalchemy.types.Uuid

    Args:
        profile: The profile that names the models.
        relation: The table.
        usual: The schema whose tables are found without it.
        columns: Its columns.

    Raises:
        ConfigError: As of `table_of`.
    """
    if not any(one.of_32 and one.kind is Kind.TEXT for one in columns):
        return columns
    table = table_of(profile, relation.name, None if relation.schema == usual else relation.schema)
    if table is None:
        return columns
    from sqlalchemy import Uuid

    named = {one.name for one in table.columns if isinstance(getattr(one.type, "impl_instance", one.type), Uuid)}
    return [replace(one, kind=Kind.UUID) if one.of_32 and one.name in named else one for one in columns]
