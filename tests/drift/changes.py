"""Changes of the fleet's models, one thing each, and where each is found."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.sql.schema import Constraint

from tests.harness.database import KINDS, Kind

Tables = Mapping[str, Table]
Found = Collection[tuple[str, str]]
MYSQL: Sequence[Kind] = ("mysql", "mariadb")
SERVERS: Sequence[Kind] = ("postgresql", "mysql", "mariadb")


@dataclass(frozen=True)
class Change:
    """A change, and what of the database differs then.

    Args:
        name: What it is.
        make: Makes it.
        found: Which parts of which tables differ.
        kinds: On which databases.
    """

    name: str
    make: Callable[[Tables], object]
    found: Found
    kinds: Sequence[Kind] = KINDS


def _typed(table: str, column: str, type_: Any, kinds: Sequence[Kind] = KINDS, name: str = "") -> Change:
    def make(tables: Tables) -> None:
        tables[table].c[column].type = type_

    return Change(f"type of {table}.{column} {name}".strip(), make, [(table, f"column {column}, type")], kinds)


def _default(table: str, column: str, default: Any, kinds: Sequence[Kind] = KINDS) -> Change:
    def make(tables: Tables) -> None:
        tables[table].c[column].server_default = default if default is None else sa.DefaultClause(default)

    name = f"default of {table}.{column} {default}"
    return Change(name, make, [(table, f"column {column}, default")], kinds)


def _nullable(table: str, column: str, kinds: Sequence[Kind] = KINDS) -> Change:
    def make(tables: Tables) -> None:
        changed = tables[table].c[column]
        changed.nullable = not changed.nullable

    return Change(f"nullability of {table}.{column}", make, [(table, f"column {column}, nullable")], kinds)


def _commented(table: str, column: str | None, comment: str | None) -> Change:
    def make(tables: Tables) -> None:
        target: Any = tables[table].c[column] if column else tables[table]
        target.comment = comment

    part = f"column {column}, comment" if column else "comment"
    return Change(f"comment of {table}.{column} {comment}", make, [(table, part)], SERVERS)


def _constraint(table: Table, kind: type[Any], *columns: str, name: str | None = None) -> Any:
    """Return a table's constraint of a kind on some columns, or with a name."""
    for constraint in table.constraints:
        if isinstance(constraint, kind) and (
            str(constraint.name) == name if name else [c.name for c in constraint.columns] == list(columns)
        ):
            return constraint
    raise LookupError(table, kind, columns, name)


def _index(table: Table, name: str) -> Index:
    return next(index for index in table.indexes if index.name == name)


def _without(table: str, kind: type[Constraint], part: str, *columns: str, **how: Any) -> Change:
    kinds = how.pop("kinds", KINDS)

    def make(tables: Tables) -> None:
        constraint = _constraint(tables[table], kind, *columns, **how)
        tables[table].constraints.discard(constraint)
        if isinstance(constraint, ForeignKeyConstraint):
            for element in constraint.elements:
                element.parent.foreign_keys.discard(element)
                tables[table].foreign_keys.discard(element)

    return Change(f"no {part} of {table}", make, [(table, part)], kinds)


def _with(table: str, part: str, *items: Callable[[Table], object], kinds: Sequence[Kind] = KINDS) -> Change:
    def make(tables: Tables) -> None:
        for item in items:
            item(tables[table])

    return Change(f"{part} on {table}", make, [(table, part)], kinds)


def _index_instead(
    table: str, name: str, make_index: Callable[[Table], object] | None, kinds: Sequence[Kind] = KINDS, how: str = ""
) -> Change:
    def make(tables: Tables) -> None:
        tables[table].indexes.discard(_index(tables[table], name))
        if make_index:
            make_index(tables[table])

    what = how or ("other" if make_index else "no")
    return Change(f"{what} index {name}", make, [(table, f"index {name}")], kinds)


def _check_instead(table: str, name: str, words: str | None, kinds: Sequence[Kind] = KINDS) -> Change:
    def make(tables: Tables) -> None:
        tables[table].constraints.discard(_constraint(tables[table], CheckConstraint, name=name))
        if words:
            tables[table].append_constraint(CheckConstraint(words, name=sa.sql.naming.conv(name)))

    return Change(f"check {name} {words}", make, [(table, f"check {name}")], kinds)


def _key_with(table: str, column: str, **options: Any) -> Change:
    def make(tables: Tables) -> None:
        constraint = _constraint(tables[table], ForeignKeyConstraint, column)
        for name, value in options.items():
            setattr(constraint, name, value)
            for element in constraint.elements:
                setattr(element, name, value)

    return Change(f"foreign key {table}.{column} {options}", make, [(table, f"foreign key ({column})")] * 2)


def _enum(table: str, column: str, name: str, *members: str, kinds: Sequence[Kind] = SERVERS) -> list[Change]:
    """Return the change of a type's members: of the type on PostgreSQL, of the column elsewhere."""

    def make(tables: Tables) -> None:
        tables[table].c[column].type = sa.Enum(*members, name=name)

    what = f"members of {name} {', '.join(members)}"
    on_column = [kind for kind in kinds if kind != "postgresql"]
    changes = [Change(what, make, [(name, "type")], ["postgresql"])]
    if on_column:
        changes.append(Change(what, make, [(table, f"column {column}, type")], on_column))
    return changes


def _computed(tables: Tables) -> None:
    tables["ship"].c.area.computed.sqltext = text("length * 3.5")  # type: ignore[union-attr]
    tables["ship"].c.area.server_default.sqltext = text("length * 3.5")  # type: ignore[union-attr]


def _not_computed(tables: Tables) -> None:
    tables["ship"].append_column(Column("area", sa.Float, nullable=False), replace_existing=True)


def _primary_key(tables: Tables) -> None:
    table = tables["everything"]
    table.c.b.primary_key = False
    table.append_constraint(sa.PrimaryKeyConstraint("a"))


def _numbering(tables: Tables) -> None:
    old = tables["counter"]
    metadata = old.metadata
    metadata.remove(old)
    Table("counter", metadata, Column("id", sa.Integer, primary_key=True), Column("n", sa.Integer))


def _no_table(tables: Tables) -> None:
    table = tables["member_of"]
    table.metadata.remove(table)


def _new_column(tables: Tables) -> None:
    hero = tables["hero"]
    hero.append_column(Column("extra", sa.Integer))
    hero.append_constraint(CheckConstraint("extra > 0", name="hero_extra"))
    Index("ix_hero_extra", hero.c.extra)


def _new_table(tables: Tables) -> None:
    Table(
        "cargo",
        tables["ship"].metadata,
        Column("id", sa.Integer, primary_key=True),
        Column("ship_id", sa.ForeignKey("ship.id"), index=True),
        Column("name", sa.String(20), unique=True, comment="what it is", server_default="tea"),
        comment="what is carried",
    )


def _identity(**options: Any) -> Callable[[Tables], None]:
    def make(tables: Tables) -> None:
        column = tables["ticket"].c.id
        column.identity = column.server_default = None
        sa.Identity(**options)._set_parent(column)

    return make


def _sequence(make: Callable[[MetaData], object]) -> Callable[[Tables], object]:
    return lambda tables: make(tables["everything"].metadata)


CHANGES: list[Change] = [
    # --- columns ---
    _typed("ship", "crew", sa.Integer()),
    _typed("ship", "name", sa.String(60)),
    _typed("ship", "name", sa.String(40), name="shorter"),
    _typed("ship", "mass", sa.Numeric(12, 2)),
    _typed("crew", "pay", sa.Numeric(8, 4)),
    _typed("ship", "notes", sa.String(200)),
    _typed("ship", "launched", sa.DateTime()),
    _typed("hero", "age", sa.BigInteger()),
    _typed("ship", "created", sa.DateTime(timezone=False), ["postgresql"]),
    _typed("ship", "active", sa.SmallInteger(), [*MYSQL, "sqlite"]),
    _typed("everything", "char", sa.CHAR(4)),
    _typed("everything", "empty", sa.String(6)),
    _typed("everything", "array", postgresql.ARRAY(sa.String(5)), ["postgresql"]),
    _typed("everything", "cased", sa.String(10, collation="POSIX"), ["postgresql"]),
    _typed("ship", "details", postgresql.JSONB(), ["postgresql"]),
    _typed("everything", "tiny", mysql.SMALLINT(), MYSQL),
    _typed("everything", "unsigned", mysql.INTEGER(), MYSQL),
    _typed("everything", "medium", mysql.LONGTEXT(), MYSQL),
    _typed("everything", "set", mysql.SET("a", "b", "c"), MYSQL),
    _typed("everything", "binary", mysql.VARBINARY(17), MYSQL),
    _typed("everything", "folded", sa.String(10, collation="utf8mb4_general_ci"), MYSQL),
    _typed("store.stock", "size", sa.String(4), ["postgresql"]),
    _typed("harbour", "name", sa.String(21)),
    _nullable("ship", "port"),
    _nullable("ship", "color"),
    _nullable("ship", "updated"),
    _nullable("berth", "harbour_id"),
    _default("ship", "port", "Lübeck"),
    _default("ship", "port", None),
    _default("ship", "port", ""),
    _default("ship", "mass", text("1")),
    _default("ship", "active", sa.false()),
    _default("ship", "seen", None),
    _default("ship", "sails", "4"),
    _default("ship", "crew", None),
    _default("ship", "said", "it's 100% 'old'"),
    _default("hero", "age", "5"),
    _default("everything", "half", "1.6"),
    _default("everything", "day", "2024-01-02"),
    _default("everything", "empty", None),
    _default("everything", "jsonb", text("'[]'::jsonb"), ["postgresql"]),
    _default("everything", "uuid", None, ["postgresql"]),
    _default("everything", "changed", text("CURRENT_TIMESTAMP"), MYSQL),
    Change("computed of something else", _computed, [("ship", "column area, computed")]),
    Change("not computed", _not_computed, [("ship", "column area, computed")]),
    Change("numbering", _numbering, [("counter", "column id, autoincrement")], SERVERS),
    Change(
        "identity by default",
        _identity(always=False, start=100, cycle=True),
        [("ticket", "column id, identity")],
        ["postgresql"],
    ),
    Change(
        "identity with other steps",
        _identity(always=True, start=100, increment=3, cycle=True),
        [("ticket", "column id, identity")],
        ["postgresql"],
    ),
    _with("ship", "column extra", lambda ship: ship.append_column(Column("extra", sa.String(7), server_default="x"))),
    Change(
        "a column with all that hangs on it",
        _new_column,
        [("hero", "column extra"), ("hero", "check hero_extra"), ("hero", "index ix_hero_extra")],
    ),
    _commented("ship", "name", "as it is called"),
    _commented("ship", "name", None),
    _commented("ship", "port", "at home"),
    _commented("ship", None, "what floats"),
    _commented("ship", None, None),
    _commented("crew", None, "who sails"),
    *_enum("ship", "color", "color", "red", "green", "blue", "black"),
    *_enum("ship", "color", "color", "red", "mauve", "green", "blue"),
    *_enum("ship", "color", "color", "red", "green"),
    *_enum("ship", "color", "color", "green", "red", "blue"),
    *_enum("berth", "kind", "berth_kind", "short", "long", "it's"),
    # --- tables and keys ---
    Change("a table less", _no_table, [("member_of", "table")]),
    Change("a table more", _new_table, [("cargo", "table")]),
    Change("a shorter primary key", _primary_key, [("everything", "primary key")], SERVERS),
    _without("sailor", ForeignKeyConstraint, "foreign key (best_friend_id)", "best_friend_id"),
    _without(
        "berth", ForeignKeyConstraint, "foreign key (neighbour_id)", "neighbour_id", kinds=["postgresql", "sqlite"]
    ),
    _with(
        "hero",
        "foreign key (age)",
        lambda hero: hero.append_constraint(ForeignKeyConstraint(["age"], ["team.id"], name="fk_hero_age")),
    ),
    _key_with("sailor", "best_friend_id", ondelete="CASCADE"),
    _key_with("sailor", "best_friend_id", ondelete=None),
    _key_with("member_of", "crew_id", onupdate=None),
    _key_with("berth", "harbour_id", ondelete="CASCADE"),
    # --- indexes and unique constraints ---
    _with("ship", "index ix_new", lambda ship: Index("ix_new", ship.c.mass)),
    _index_instead("ship", "ix_ship_name", None),
    _index_instead("ship", "ix_ship_name", lambda ship: Index("ix_ship_name", ship.c.name, unique=True), how="unique"),
    _index_instead("ship", "ix_ship_name", lambda ship: Index("ix_ship_name", ship.c.sails)),
    _index_instead("ship", "ix_ship_name_port", lambda ship: Index("ix_ship_name_port", ship.c.port, ship.c.name)),
    _index_instead("ship", "ix_ship_launched", lambda ship: Index("ix_ship_launched", ship.c.launched, ship.c.sails)),
    _index_instead(
        "ship",
        "ix_ship_lower_name",
        lambda ship: Index("ix_ship_lower_name", func.upper(ship.c.name)),
        ["postgresql", "mysql", "sqlite"],
    ),
    _index_instead("ship", "ix_ship_lower_name", None, ["postgresql", "mysql", "sqlite"]),
    _index_instead(
        "ship",
        "ix_ship_active_port",
        lambda ship: Index(
            "ix_ship_active_port",
            ship.c.port,
            unique=True,
            postgresql_where=~ship.c.active,
            sqlite_where=~ship.c.active,
        ),
        ["postgresql", "sqlite"],
        "of other rows",
    ),
    _index_instead(
        "ship",
        "ix_ship_active_port",
        lambda ship: Index("ix_ship_active_port", ship.c.port, unique=True),
        ["postgresql", "sqlite"],
        "of all rows",
    ),
    _index_instead(
        "ship", "ix_ship_notes", lambda ship: Index("ix_ship_notes", ship.c.notes, mysql_length=30), ["mysql"]
    ),
    _index_instead(
        "everything",
        "ix_everything_gin",
        lambda every: Index(
            "ix_everything_gin",
            every.c.jsonb,
            postgresql_using="gin",
            postgresql_ops={"jsonb": "jsonb_path_ops"},
        ),
        ["postgresql"],
    ),
    _index_instead(
        "everything", "ix_everything_ops", lambda every: Index("ix_everything_ops", every.c.b), ["postgresql"]
    ),
    _index_instead(
        "everything", "ix_everything_include", lambda every: Index("ix_everything_include", every.c.a), ["postgresql"]
    ),
    _index_instead("sailor", "ix_sailor_mail", None),
    _without("sailor", UniqueConstraint, "unique constraint uq_sailor_code", "code", kinds=["postgresql", "sqlite"]),
    _without("sailor", UniqueConstraint, "index uq_sailor_code", "code", kinds=MYSQL),
    _without("everything", UniqueConstraint, "unique constraint uq_later", name="uq_later", kinds=["postgresql"]),
    _without("everything", postgresql.ExcludeConstraint, "index no_overlap", name="no_overlap", kinds=["postgresql"]),
    _with(
        "crew",
        "unique constraint uq_crew_pay",
        lambda crew: crew.append_constraint(UniqueConstraint("pay")),
        kinds=["postgresql", "sqlite"],
    ),
    _with(
        "crew",
        "index uq_crew_pay",
        lambda crew: crew.append_constraint(UniqueConstraint("pay")),
        kinds=MYSQL,
    ),
    # --- checks ---
    _check_instead("ship", "ship_is_long", "length > 1"),
    _check_instead("ship", "ship_is_long", None),
    _check_instead("word", "word_said", "length(said) > 3 AND said <> 'ever'"),
    _index_instead(
        "word",
        "ix_word_lower",
        lambda word: Index("ix_word_lower", func.upper(word.c.said), unique=True),
        ["postgresql", "mysql", "sqlite"],
    ),
    _check_instead("sailor", "ck_sailor_age", "age BETWEEN 15 AND 99"),
    _check_instead("berth", "berth_id", None),
    _with(
        "crew",
        "check ck_crew_paid",
        lambda crew: crew.append_constraint(CheckConstraint("pay > 0", name="paid")),
    ),
    # --- sequences ---
    Change(
        "a sequence more",
        _sequence(lambda metadata: sa.Sequence("more", metadata=metadata)),
        [("more", "sequence")],
        ["postgresql", "mariadb"],
    ),
    Change(
        "a sequence of other steps",
        _sequence(lambda metadata: sa.Sequence("ticket_number", start=1000, increment=6, metadata=metadata)),
        [("ticket_number", "sequence")],
        ["postgresql", "mariadb"],
    ),
]
