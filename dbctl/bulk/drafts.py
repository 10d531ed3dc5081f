"""Tables of one database in another one's words, each by itself."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.kinds import Kind
from dbctl.bulk.indexes import oddness, options_of
from dbctl.bulk.models import with_uuids
from dbctl.bulk.reading_out import Moment, declared, foreign_keys, usual_schema, writable
from dbctl.errors import UsageError
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.inventory import Relation
    from dbctl.backends.kinds import BulkColumn

_log = logging.getLogger("dbctl")

_EVENTS = ("delete", "update")


@record
class There:
    """What a target has.

    Args:
        tables: The tables that it has, folded.
        known: Those, and the ones that are created, folded.
        fold: Makes one name of all that it takes for the same.
        collations: Its collations, as SQL.
        options: What stands behind the columns of a table that is created.
    """

    tables: Collection[str]
    known: Collection[str]
    fold: Callable[[str], str]
    collations: Collection[str]
    options: str


class Draft:
    """One table of the source, in the target's words.

    Args:
        moment: The source.
        backend: That of the target.
        connection: A connection to the target.
        relation: The table.
        there: What the target has.
    """

    def __init__(self, moment: Moment, backend: Bulk, connection: Connection, relation: Relation, there: There) -> None:
        from sqlalchemy import inspect

        self._moment, self._backend, self._relation = moment, backend, relation
        self._dialect, self._there = connection.dialect, there
        usual = usual_schema(moment.connection)
        self.schema = relation.schema if relation.schema != usual and backend.has_schemas else None
        """Its schema in the target, where that is not the usual one."""
        self._inspector: Any = inspect(moment.connection)
        self._named = (relation.name, relation.schema)
        self._own = moment.backend.__class__ is backend.__class__
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know
            self._primary: Any = self._inspector.get_pk_constraint(*self._named)
        self._key: Sequence[str] = self._primary["constrained_columns"]
        self._foreign = foreign_keys(moment, relation)
        columns = writable(moment.backend.table_columns(moment.connection, relation))
        if not backend.hidden(self._dialect, required=False):
            columns = declared(moment.backend, columns)
        self._key = [name for name in self._key if any(name == one.name for one in columns)]
        for profile in (moment.backend.profile, backend.profile):
            columns = with_uuids(profile, relation, usual, columns)
        self._columns = {one.name: one for one in columns}
        self.types = backend.own_types(moment.connection, connection, columns) if self._own else {}
        """Types that somebody has made, by the source's words for them."""
        self._collations = moment.backend.collations(moment.connection, relation) if self._own else {}

    @property
    def place(self) -> str:
        """The table's name as SQL."""
        return self._names(filter(None, (self.schema, self._relation.name)), ".")

    def table(self, taken: set[str]) -> str:
        """Return CREATE TABLE, with its indexes and foreign keys where they can't, or are not to, be added to it later.

        Args:
            taken: Names that no index may have, to which those of its indexes are added.
        """
        counted = self._counted()
        parts = [self._column(one, counted.get(one.name)) for one in self._columns.values()]
        if self._key and not (counted and self._backend.counts_by_key):
            parts.append(f"PRIMARY KEY ({self._names(self._key)}){self._including(self._primary)}")
        for names, index in self._unique().items():
            parts.append(f"UNIQUE ({self._names(names)}){self._including(index)}")
        if self._backend.creates_whole:
            parts += [f"{kind} {name} {columns}" for kind, name, columns in self._indexes(taken)]
        if self._backend.creates_whole or not self._backend.adds_constraints:
            parts += self._keys()
        return f"CREATE TABLE {self.place} (\n  " + ",\n  ".join(parts) + "\n)" + self._there.options

    def after(self, taken: set[str]) -> Iterator[str]:
        """Yield what adds the indexes, and the foreign keys, which may refer to tables that are created later."""
        if not self._backend.creates_whole:
            for kind, name, columns in self._indexes(taken):
                yield f"CREATE {kind} {name} ON {self.place} {columns}"
            if self._backend.adds_constraints:
                for key in self._keys():
                    yield f"ALTER TABLE {self.place} ADD {key}"

    def _indexes(self, taken: set[str]) -> Iterator[tuple[str, str, str]]:
        """Yield the kinds, names and columns of indexes of columns alone."""
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
            yield kind, self._backend.sql_name(name), columns

    def _including(self, index: Any) -> str:
        """Return the SQL of the columns that an index includes, and does not sort by."""
        names = options_of(index).get("include", ())
        if not names or (self._backend.includes_columns and all(name in self._columns for name in names)):
            return f" INCLUDE ({self._names(names)})" if names else ""
        text = "%s's index %s is created without the columns that it includes, %s"
        _log.warning(text, self._relation.name, index["name"], ", ".join(names))
        return ""

    def refuse_uneven(self, drafts: Mapping[tuple[str | None, str], Draft]) -> None:
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

    def _keys(self) -> Iterator[str]:
        for key in self._foreign:
            parts = self._referred(key)
            if self._there.fold(".".join(parts)) not in self._there.known:
                text = "%s is created without its foreign key to %s, which the target lacks"
                _log.warning(text, self._relation.name, parts[-1])
                continue
            referred = f"{self._names(parts, '.')} ({self._names(key['referred_columns'])})"
            said = key.get("options", {})
            actions = [f" ON {event.upper()} {said[f'on{event}']}" for event in _EVENTS if said.get(f"on{event}")]
            if said.get("deferrable") and self._backend.defers_keys:
                actions.append(f" DEFERRABLE INITIALLY {said.get('initially') or 'IMMEDIATE'}")
            yield f"FOREIGN KEY ({self._names(key['constrained_columns'])}) REFERENCES {referred}{''.join(actions)}"

    def _referred(self, key: Any) -> Sequence[str]:
        """Return the parts of the name, in the target, of the table that a foreign key refers to."""
        there = self._own or self._backend.has_schemas
        schema = key["referred_schema"] if there and key["referred_schema"] != self._relation.schema else self.schema
        return list(filter(None, (schema, key["referred_table"])))

    def _unique(self) -> Mapping[tuple[str, ...], Any]:
        """Return the columns of unique constraints that have no oddness, each with the index that the database has."""
        indexes = {one.get("duplicates_constraint"): one for one in self._inspector.get_indexes(*self._named)}
        found = {}
        for unique in self._inspector.get_unique_constraints(*self._named):
            index = unique if unique["name"] is None else indexes.get(unique["name"], unique)
            if not oddness(index, self._columns):
                found[tuple(unique["column_names"])] = index
        return found

    def _in_keys(self) -> set[str]:
        indexes = [index["column_names"] for index in self._inspector.get_indexes(*self._named)]
        keys = [key["constrained_columns"] for key in self._foreign]
        return {name for names in (self._key, *indexes, *keys, *self._unique()) for name in names if name}

    def _told_apart(self) -> set[str]:
        """Return the columns whose values are to be as many as at the source, and those that refer to such."""
        indexes = [index["column_names"] for index in self._inspector.get_indexes(*self._named) if index["unique"]]
        own: set[str] = set()
        others: set[str] = set()
        for key in self._foreign:  # what the target has is compared as it is there
            there = self._there.fold(".".join(self._referred(key))) in self._there.tables
            (others if there else own).update(key["constrained_columns"])
        return {name for names in (self._key, *indexes, own, *self._unique()) for name in names if name} - others

    def _counted(self) -> Mapping[str, Any]:
        """Return what SQLAlchemy's inspector says of the columns that the source numbers, and the target can too."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that SQLAlchemy does not know
            reflected: Any = self._inspector.get_columns(*self._named)
        found = {one["name"]: one for one in reflected if self._counts(one)}
        indexes = self._inspector.get_indexes(*self._named) if found else ()
        keys = [index["column_names"] for index in indexes if not oddness(index, self._columns)]
        kept = self._backend.numbered(list(found), self._key, [*self._unique(), *keys])
        if lost := [name for name in found if name not in kept]:
            text = "%s.%s is created without the numbers that the source gives by itself: %s gives such only to %s"
            _log.warning(text, self._relation.name, ", ".join(lost), self._backend.title, self._backend.numbers_only)
        return {name: found[name] for name in kept}

    def _counts(self, reflected: Any) -> bool:
        """Tell whether the source gives numbers to a column by itself."""
        column = self._columns.get(reflected["name"])
        if column is None or column.kind is not Kind.INTEGER:
            return False
        if [column.name] == list(self._key) and self._moment.backend.counts_by_key:
            return True
        counts = reflected.get("identity") or reflected.get("autoincrement") is True
        return not column.nullable and bool(counts or "nextval" in str(reflected.get("default")))

    def _column(self, column: BulkColumn, counted: Any) -> str:
        backend = self._backend
        made = self.types.get(column.type)
        own = self._own and (made is not None or backend.kind_of(column.type) is column.kind)
        if column.kind is Kind.UUID:
            own = own and self._moment.connection.dialect.supports_native_uuid == self._dialect.supports_native_uuid
        type_ = (made.sql if made else column.type) if own else self._type(column)
        lacking = made is not None and made.sql != column.type
        if made and lacking:
            text = "%s.%s is created as %s: the target has no type %s"
            _log.warning(text, self._relation.name, column.name, made.sql, column.type)
        if own and not lacking:
            type_ += self._collation(column.name)
        elif column.name in self._in_keys():
            apart = column.name in self._told_apart()
            type_ = backend.type_in_key(type_, self._there.collations if apart else ())
        name = backend.sql_name(column.name)
        hidden = self._hidden(column, required=counted is None and not column.nullable) if column.invisible else ""
        if counted is not None:
            return f"{name} {backend.counted(type_, counted if own else {})}{hidden}"
        return f"{name} {type_}{'' if column.nullable else ' NOT NULL'}{hidden}"

    def _hidden(self, column: BulkColumn, *, required: bool) -> str:
        """Return the SQL of what keeps a column invisible, where the target has such."""
        hidden = self._backend.hidden(self._dialect, required=required)
        if not hidden:
            text = "%s.%s is created visible: the target has no such invisible column"
            _log.warning(text, self._relation.name, column.name)
        return hidden

    def _collation(self, name: str) -> str:
        """Return the SQL of a column's collation, where the target has it too."""
        collation = self._collations.get(name)
        if collation is None or collation in self._there.collations:
            return f" COLLATE {collation}" if collation else ""
        text = "%s.%s is created without its collation %s, which the target lacks"
        _log.warning(text, self._relation.name, name, collation)
        return ""

    def _type(self, column: BulkColumn) -> str:
        """Return the target's type for a column; of UUIDs the one that the models of a service get, and look for."""
        from sqlalchemy import Uuid

        uuids = column.kind is Kind.UUID
        return Uuid().compile(dialect=self._dialect).lower() if uuids else self._backend.type_for(column)

    def _names(self, names: Any, between: str = ", ") -> str:
        return between.join(map(self._backend.sql_name, names))
