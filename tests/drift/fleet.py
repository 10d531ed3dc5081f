"""A service's models of many kinds, made anew each time, so that a test can change one thing in them."""

import enum
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Optional

import sqlalchemy as sa
from sqlalchemy import JSON, Column, ForeignKey, Index, MetaData, Table, func, text
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry
from sqlmodel import Field, SQLModel

from tests.harness.database import Kind

CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Color(enum.Enum):
    red = "red"
    green = "green"
    blue = "blue"


class Rank(enum.StrEnum):
    low = "low"
    high = "high"


def models(kind: Kind, default_schema: str) -> Sequence[MetaData]:
    """Return the metadata of all models.

    Args:
        kind: The database: some things only one of them has.
        default_schema: The name of its default schema, which some models say explicitly.
    """
    return [_declarative(kind), _conventional(kind), _sqlmodel(), _explicit(default_schema), _core(kind)]


def _declarative(kind: Kind) -> MetaData:
    class Base(DeclarativeBase):
        pass

    class Ship(Base):
        __tablename__ = "ship"
        __table_args__ = (
            sa.CheckConstraint("length > 0", name="ship_is_long"),
            sa.CheckConstraint("mass>=0 AND mass<1000000"),
            sa.UniqueConstraint("name", "port"),
            Index("ix_ship_name_port", "name", "port"),
            {"comment": "what sails"},
        )
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(sa.String(50), index=True, comment="as painted on it")
        port: Mapped[str | None] = mapped_column(sa.String(30), server_default="Kiel")
        length: Mapped[float]
        mass: Mapped[Decimal] = mapped_column(sa.Numeric(10, 2), server_default=text("0"))
        active: Mapped[bool] = mapped_column(server_default=sa.true())
        hidden: Mapped[bool] = mapped_column(sa.Boolean(create_constraint=True, name="ship_hidden"), default=False)
        color: Mapped[Color]
        rank: Mapped[Rank] = mapped_column(sa.Enum(Rank, native_enum=False, length=20, create_constraint=True))
        details: Mapped[dict[str, Any] | None] = mapped_column(JSON)
        token: Mapped[uuid.UUID] = mapped_column(unique=True)
        launched: Mapped[date | None]
        created: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), server_default=func.now())
        updated: Mapped[datetime | None] = mapped_column(sa.TIMESTAMP)
        seen: Mapped[datetime] = mapped_column(server_default=func.current_timestamp())
        notes: Mapped[str | None] = mapped_column(sa.Text)
        picture: Mapped[bytes | None]
        sails: Mapped[int] = mapped_column(sa.SmallInteger, server_default="3")
        crew: Mapped[int] = mapped_column(sa.BigInteger, server_default=text("-1"), default=7)
        said: Mapped[str] = mapped_column(sa.String(40), server_default="it's 100% 'new'")
        area: Mapped[float] = mapped_column(sa.Float, sa.Computed("length * 2.5"))

    Index("ix_ship_lower_name", func.lower(Ship.name), unique=False) if kind != "mariadb" else None
    if kind in {"postgresql", "sqlite"}:
        Index("ix_ship_active_port", Ship.port, unique=True, postgresql_where=Ship.active, sqlite_where=Ship.active)
    if kind == "mysql":
        Index("ix_ship_notes", Ship.notes, mysql_length=20)
    Index("ix_ship_launched", Ship.launched.desc(), Ship.sails)
    return Base.metadata


def _conventional(kind: Kind) -> MetaData:
    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention=CONVENTION)

    Table(
        "member_of",
        Base.metadata,
        Column("sailor_id", ForeignKey("sailor.id", ondelete="CASCADE"), primary_key=True),
        Column("crew_id", ForeignKey("crew.id", ondelete="CASCADE", onupdate="CASCADE"), primary_key=True),
    )

    class Sailor(Base):
        __tablename__ = "sailor"
        __table_args__ = (sa.CheckConstraint("age BETWEEN 14 AND 99", name="age"),)
        id: Mapped[int] = mapped_column(primary_key=True, unique=True)
        code: Mapped[str] = mapped_column(sa.String(8), unique=True)
        mail: Mapped[str] = mapped_column(sa.String(80), index=True, unique=True)
        age: Mapped[int | None]
        best_friend_id: Mapped[int | None] = mapped_column(ForeignKey("sailor.id", ondelete="SET NULL"))
        # The two refer to each other.
        favourite_id: Mapped[int | None] = mapped_column(ForeignKey("crew.id", use_alter=True, name="fk_favourite"))

    class Crew(Base):
        __tablename__ = "crew"
        id: Mapped[int] = mapped_column(primary_key=True)
        captain_id: Mapped[int] = mapped_column(ForeignKey("sailor.id"), index=True)
        pay: Mapped[Decimal] = mapped_column(sa.Numeric(8, 3))

    return Base.metadata


def _sqlmodel() -> MetaData:
    class Model(SQLModel, registry=registry()):
        metadata = MetaData()

    class Team(Model, table=True):
        id: Optional[int] = Field(default=None, primary_key=True)  # noqa: UP045
        name: str = Field(index=True, max_length=60, unique=True)
        color: Color = Field(sa_type=sa.Enum(Color, name="team_color"))

    class Hero(Model, table=True):
        id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
        age: int | None = Field(default=None, index=True)
        team_id: int | None = Field(default=None, foreign_key="team.id")
        born: datetime = Field(default_factory=datetime.now)
        tags: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))

    assert Team.metadata is Hero.metadata is Model.metadata
    return Model.metadata


def _explicit(default_schema: str) -> MetaData:
    """Return tables that say the default schema's name."""
    metadata = MetaData(schema=default_schema)
    Table("harbour", metadata, Column("id", sa.Integer, primary_key=True), Column("name", sa.String(20), unique=True))
    Table(
        "berth",
        metadata,
        Column("id", sa.Integer, primary_key=True, autoincrement=False),
        Column("harbour_id", ForeignKey("harbour.id"), nullable=False),
        Column("kind", sa.Enum("short", "long", name="berth_kind")),
        Column("neighbour_id", ForeignKey("berth.id", ondelete="RESTRICT")),
        sa.CheckConstraint("id > 0", name="berth_id"),
        sa.UniqueConstraint("harbour_id", "kind", name="uq_berth"),
    )
    return metadata


def _core(kind: Kind) -> MetaData:
    metadata = MetaData()
    columns: list[sa.schema.SchemaItem] = [
        Column("a", sa.Integer, primary_key=True, autoincrement=False),
        Column("b", sa.String(10), primary_key=True),
        Column("at", sa.Time),
        Column("long", sa.LargeBinary),
        Column("real", sa.REAL),
        Column("double", sa.Double),
        Column("char", sa.CHAR(3), server_default="abc"),
        Column("empty", sa.String(5), server_default=""),
        Column("quoted Name", sa.Integer, index=True),
        Column("half", sa.Numeric(5, 1), server_default="1.5"),
        Column("day", sa.Date, server_default="2024-01-01"),
    ]
    match kind:
        case "postgresql":
            columns += [
                Column("array", postgresql.ARRAY(sa.String(4)), server_default="{}"),
                Column("jsonb", postgresql.JSONB, server_default=text("'{}'::jsonb")),
                Column("inet", postgresql.INET),
                Column("span", postgresql.INTERVAL),
                Column("during", postgresql.TSRANGE),
                Column("vector", postgresql.TSVECTOR),
                Column("uuid", sa.Uuid, server_default=text("gen_random_uuid()")),
                Column("moods", postgresql.ARRAY(sa.Enum("glad", "sad", name="mood"))),
                Column("cased", sa.String(10, collation="C")),
                Index("ix_everything_gin", "jsonb", postgresql_using="gin"),
                Index("ix_everything_ops", "b", postgresql_ops={"b": "varchar_pattern_ops"}),
                Index("ix_everything_include", "a", postgresql_include=["at"]),
                postgresql.ExcludeConstraint(("during", "&&"), name="no_overlap"),
                sa.UniqueConstraint("at", "a", name="uq_later", deferrable=True, initially="DEFERRED"),
            ]
        case "mysql" | "mariadb":
            columns += [
                Column("tiny", mysql.TINYINT(1), server_default="0"),
                Column("unsigned", mysql.INTEGER(unsigned=True), server_default="0"),
                Column("longer", mysql.LONGTEXT),
                Column("medium", mysql.MEDIUMTEXT),
                Column("set", mysql.SET("a", "b")),
                Column("year", mysql.YEAR),
                Column("stamp", mysql.TIMESTAMP(fsp=6), server_default=text("CURRENT_TIMESTAMP(6)")),
                Column(
                    "changed",
                    mysql.TIMESTAMP,
                    server_default=text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"),
                ),
                Column("binary", mysql.VARBINARY(16)),
                Column("folded", sa.String(10, collation="utf8mb4_bin")),
                Index("ix_everything_full", "longer", mysql_prefix="FULLTEXT"),
            ]
        case "sqlite":
            columns += [Column("flag", sa.Boolean, server_default=text("(1)")), Column("stamp", sa.TIMESTAMP)]
    Table("everything", metadata, *columns)
    Table("counter", metadata, Column("id", sa.Integer, primary_key=True, autoincrement=False), Column("n", sa.Integer))
    word = Table(
        "word",
        metadata,
        Column("id", sa.Integer, primary_key=True),
        Column("said", sa.String(30)),
        sa.CheckConstraint("length(said) > 3 AND said <> 'never'", name="word_said"),
    )
    if kind != "mariadb":
        Index("ix_word_lower", func.lower(word.c.said), unique=True)
    if kind == "postgresql":
        ticket = sa.Sequence("ticket_number", start=1000, increment=5, metadata=metadata)
        Table(
            "ticket",
            metadata,
            Column("id", sa.Integer, sa.Identity(always=True, start=100, cycle=True), primary_key=True),
            Column("number", sa.Integer, ticket, server_default=ticket.next_value(), nullable=False),
            Column("price", sa.Integer),
            Column("double", sa.Integer, sa.Computed("price * 2", persisted=True)),
        )
        Table(
            "stock",
            metadata,
            Column("id", sa.BigInteger, primary_key=True),
            Column("kind", sa.Enum("old", "new", name="stock_kind", schema="store")),
            Column("ticket_id", ForeignKey("ticket.id")),
            Column("size", sa.String(3), sa.CheckConstraint("size <> ''", name="stock_size"), index=True),
            Column("of_id", ForeignKey("store.stock.id")),
            schema="store",
        )
    if kind == "mariadb":
        sa.Sequence("ticket_number", start=1000, increment=5, metadata=metadata)
    return metadata
