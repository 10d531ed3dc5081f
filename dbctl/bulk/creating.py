"""Creating tables as another database has them: columns, keys and indexes, with types of the target's own."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.exports import run_as_it_stands
from dbctl.backends.kinds import Kind
from dbctl.bulk.indexes import oddness, options_of
from dbctl.bulk.models import with_uuids
from dbctl.bulk.reading_out import Moment, called, foreign_keys, usual_schema, writable
from dbctl.errors import UsageError
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.inventory import Relation
    from dbctl.backends.kinds import BulkColumn

_log = logging.getLogger("dbctl")


@record
class Blueprint:
    """Tables that the target lacks.

    Args:
        schemas: The SQL that creates the schemas that they are in.
        types: The SQL that creates the types that they have.
        tables: The SQL that creates each, by its name as SQL.
        further: The SQL that creates their indexes and foreign keys, in order.
        names: What they are called.
    """

    schemas: Sequence[str]
    types: Sequence[str]
    tables: Mapping[str, str]
    further: Sequence[str]
    names: Sequence[str]


def blueprint(moment: Moment, backend: Bulk, connection: Connection, relations: Sequence[Relation]) -> Blueprint:
    """Return what creates those of some tables that the target lacks.

    Args:
        moment: The source.
        backend: That of the target.
        connection: A connection to the target.
        relations: The source's tables.

    Raises:
        UsageError: One is in a schema, and the target has none; or refers to a column of another type than its own.
    """
    from sqlalchemy import inspect

    usual = usual_schema(moment.connection)
    there = backend.catalog.inventory(connection, None)
    own = usual_schema(connection)
    names = {name for one in there for name in (called(one, own), f"{one.schema}.{one.name}")}
    missing = [one for one in relations if called(one, usual) not in names]
    own_names = names | {called(one, usual) for one in missing}
    drafts = [_Draft(moment, backend, connection, one, own_names) for one in missing]
    if backend.keys_of_one_type:
        by_name = dict(zip(((one.schema, one.name) for one in missing), drafts, strict=True))
        for draft in drafts:
            draft.refuse_uneven(by_name)
    taken = {name.lower() for name in own_names}
    types = [one for draft in drafts for one in draft.types.values()]
    schemas = {schema for schema in [one.schema for one in drafts] + [one.schema for one in types] if schema}
    if schemas and not backend.has_schemas:
        raise UsageError(f"{backend.title} has no schema {', '.join(sorted(schemas))}", "leave those tables out")
    lacking = schemas and schemas - set(inspect(connection).get_schema_names())  # to look needs no right to create
    return Blueprint(
        [f"CREATE SCHEMA {backend.sql_name(name)}" for name in sorted(lacking)],
        sorted({one.creates for one in types if one.creates}),
        {draft.place: draft.table() for draft in drafts},
        [text for draft in drafts for text in (*draft.indexes(taken), *draft.keys_after())],
        [called(one, usual) for one in missing],
    )


def create(connection: Connection, plan: Blueprint, made: list[str]) -> None:
    """Create the tables, and say so.

    Args:
        connection: A connection to the target.
        plan: What they are.
        made: Is told the name, as SQL, of each table that is created.
    """
    for statement in (*plan.schemas, *plan.types):
        run_as_it_stands(connection, statement)
    for place, statement in plan.tables.items():
        run_as_it_stands(connection, statement)
        made.append(place)
    for statement in plan.further:
        run_as_it_stands(connection, statement)
    if plan.names:
        _log.info("created as the source has them: %s", ", ".join(plan.names))


class _Draft:
    """One table of the source, in the target's words.

    Args:
        moment: The source.
        backend: That of the target.
        connection: A connection to the target.
        relation: The table.
        known: What tables the target has, or will have.
    """

    def __init__(
        self, moment: Moment, backend: Bulk, connection: Connection, relation: Relation, known: Collection[str]
    ) -> None:
        from sqlalchemy import inspect

        self._moment, self._backend, self._relation = moment, backend, relation
        self._dialect, self._known, self._options = connection.dialect, known, backend.table_options(connection)
        usual = usual_schema(moment.connection)
        self.schema = None if relation.schema == usual else relation.schema
        """Its schema in the target, where that is not the usual one."""
        self._inspector: Any = inspect(moment.connection)
        self._named = (relation.name, relation.schema)
        self._own = moment.backend.__class__ is backend.__class__
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know
            self._key: Sequence[str] = self._inspector.get_pk_constraint(*self._named)["constrained_columns"]
        self._foreign = foreign_keys(moment, relation)
        there = writable(moment.backend.table_columns(moment.connection, relation))
        for profile in (moment.backend.profile, backend.profile):
            there = with_uuids(profile, relation, usual, there)
        self._columns = {one.name: one for one in there}
        self.types = backend.own_types(moment.connection, connection, there) if self._own else {}
        """Types that somebody has made, by the source's words for them."""

    @property
    def place(self) -> str:
        """The table's name as SQL."""
        return self._names(filter(None, (self.schema, self._relation.name)), ".")

    def table(self) -> str:
        """Return CREATE TABLE, with the foreign keys where they can't be added to it later."""
        counted = self._counted()
        parts = [self._column(one, counted=one.name == counted) for one in self._columns.values()]
        if self._key and not (counted and self._backend.counts_by_key):
            parts.append(f"PRIMARY KEY ({self._names(self._key)})")
        for names, index in self._unique().items():
            parts.append(f"UNIQUE ({self._names(names)}){self._including(index)}")
        parts += [] if self._backend.adds_constraints else list(self._keys())
        return f"CREATE TABLE {self.place} (\n  " + ",\n  ".join(parts) + "\n)" + self._options

    def indexes(self, taken: set[str]) -> Iterator[str]:
        """Yield CREATE INDEX for those of columns alone, with names of their own: MySQL's are those of one table."""
        for index in self._inspector.get_indexes(*self._named):
            names, name = index["column_names"], str(index["name"])
            if index["unique"] and tuple(names) in self._unique():
                continue
            if odd := oddness(index, self._columns):
                _log.warning("%s is created without its index %s, %s", self._relation.name, name, odd)
                continue
            if name.lower() in taken and not self._backend.index_names_of_tables:
                name = "_".join([self._relation.name, *map(str, names), "idx"])
            taken.add(name.lower())
            kind = "UNIQUE INDEX" if index["unique"] else "INDEX"
            columns = f"({self._names(map(str, names))}){self._including(index)}"
            yield f"CREATE {kind} {self._backend.sql_name(name)} ON {self.place} {columns}"

    def _including(self, index: Any) -> str:
        """Return the SQL of the columns that an index includes, and does not sort by."""
        names = options_of(index).get("include", ())
        if not names or (self._backend.includes_columns and all(name in self._columns for name in names)):
            return f" INCLUDE ({self._names(names)})" if names else ""
        text = "%s's index %s is created without the columns that it includes, %s"
        _log.warning(text, self._relation.name, index["name"], ", ".join(names))
        return ""

    def refuse_uneven(self, drafts: Mapping[tuple[str | None, str], _Draft]) -> None:
        """Do nothing where whole numbers refer to such of the same size.

        Raises:
            UsageError: One does not, and the target takes no such key.
        """
        for key in self._foreign:
            other = drafts.get((key["referred_schema"] or self._relation.schema, key["referred_table"]))
            for name, referred in zip(key["constrained_columns"], key["referred_columns"], strict=True):
                mine, theirs = self._columns.get(name), other._columns.get(referred) if other else None
                if mine is None or theirs is None or {mine.kind, theirs.kind} != {Kind.INTEGER}:
                    continue
                own, its = self._backend.type_for(mine), self._backend.type_for(theirs)
                if own != its:
                    text = f"{self._relation.name}.{name} ({own}) refers to {key['referred_table']}.{referred} ({its})"
                    raise UsageError(
                        f"{text}: {self._backend.title} has no foreign key between these",
                        "give both one type at the source, or create the tables before",
                    )

    def keys_after(self) -> Iterator[str]:
        """Yield what adds the foreign keys, which may refer to tables that are created later."""
        if self._backend.adds_constraints:
            for key in self._keys():
                yield f"ALTER TABLE {self.place} ADD {key}"

    def _keys(self) -> Iterator[str]:
        for key in self._foreign:
            schema = key["referred_schema"] if key["referred_schema"] != self._relation.schema else self.schema
            parts = list(filter(None, (schema, key["referred_table"])))
            if ".".join(parts) not in self._known:
                _log.warning(
                    "%s is created without its foreign key to %s, which the target lacks",
                    self._relation.name,
                    parts[-1],
                )
                continue
            other = self._names(parts, ".")
            options: Any = key.get("options", {})
            actions = "".join(
                f" ON {event.upper()} {options[f'on{event}']}"
                for event in ("delete", "update")
                if options.get(f"on{event}")
            )
            columns = self._names(key["constrained_columns"])
            yield f"FOREIGN KEY ({columns}) REFERENCES {other} ({self._names(key['referred_columns'])}){actions}"

    def _unique(self) -> Mapping[tuple[str, ...], Any]:
        """Return the columns of unique constraints that have no oddness, each with the index that the database has."""
        indexes = {one.get("duplicates_constraint"): one for one in self._inspector.get_indexes(*self._named)}
        found = {}
        for unique in self._inspector.get_unique_constraints(*self._named):
            index = unique if unique["name"] is None else indexes.get(unique["name"], unique)
            if not oddness(index, self._columns):
                found[tuple(unique["column_names"])] = index
        return found

    def _indexed(self) -> set[str]:
        indexes = [index["column_names"] for index in self._inspector.get_indexes(*self._named)]
        keys = [key["constrained_columns"] for key in self._foreign]
        return {name for names in (self._key, *indexes, *keys, *self._unique()) for name in names if name}

    def _counted(self) -> str | None:
        """Return the column whose numbers the source gives by itself."""
        if len(self._key) != 1:
            return None
        [name] = self._key
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know
            columns: Any = self._inspector.get_columns(*self._named)
        found = next(one for one in columns if one["name"] == name)
        counts = found.get("identity") or found.get("autoincrement") is True or "nextval" in str(found.get("default"))
        alone = self._columns[name].kind == "integer" and self._moment.backend.counts_by_key
        return name if counts or alone else None

    def _column(self, column: BulkColumn, *, counted: bool) -> str:
        backend = self._backend
        made = self.types.get(column.type)
        own = self._own and (made is not None or backend.kind_of(column.type) is column.kind)
        if column.kind is Kind.UUID:
            own = own and self._moment.connection.dialect.supports_native_uuid == self._dialect.supports_native_uuid
        type_ = (made.sql if made else column.type) if own else self._type(column)
        if made and made.sql != column.type:
            text = "%s.%s is created as %s: the target has no type %s"
            _log.warning(text, self._relation.name, column.name, made.sql, column.type)
        if not own and column.name in self._indexed():
            type_ = backend.type_in_key(type_)
        name = backend.sql_name(column.name)
        if counted:
            return f"{name} {backend.counted_type.format(type_)}"
        return f"{name} {type_}{'' if column.nullable else ' NOT NULL'}"

    def _type(self, column: BulkColumn) -> str:
        """Return the target's type for a column; of UUIDs the one that the models of a service get, and look for."""
        from sqlalchemy import Uuid

        uuids = column.kind is Kind.UUID
        return Uuid().compile(dialect=self._dialect).lower() if uuids else self._backend.type_for(column)

    def _names(self, names: Any, between: str = ", ") -> str:
        return between.join(map(self._backend.sql_name, names))
