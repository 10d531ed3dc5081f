"""The sample domain's tables. They have a registry of their own, so that no service's models meet them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

# Compare text as it is on MySQL and MariaDB too, whose default takes "É" for "e".
_TABLE_OPTIONS = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class _Microseconds(DateTime):
    """A moment with its microseconds, which MySQL and MariaDB drop unless they are asked for.

    Their own type, DATETIME(fsp=6), would load their whole dialect wherever the sample is used.
    """


@compiles(_Microseconds, "mysql", "mariadb")
def _with_fraction(*_: Any, **__: Any) -> str:
    return "DATETIME(6)"


class _Instant(TypeDecorator[datetime]):
    """A moment, in UTC on the way in and on the way out, whether or not the database keeps time zones."""

    impl = _Microseconds(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SampleModel(SQLModel, registry=registry()):
    """Base of the sample's tables; its metadata holds them and nothing else."""


class Team(SampleModel, table=True):
    """A team of heroes."""

    __table_args__ = _TABLE_OPTIONS

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=200, unique=True)
    headquarters: str | None = Field(default=None, max_length=200)


class Hero(SampleModel, table=True):
    """A hero, in one team or in none."""

    __table_args__ = (CheckConstraint("age >= 0", name="hero_age_not_negative"), _TABLE_OPTIONS)

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=200, index=True)
    secret_name: str = Field(max_length=200)
    age: int | None = None
    team_id: int | None = Field(default=None, foreign_key="team.id", index=True)


class TransferLog(SampleModel, table=True):
    """One transfer that took place, written in the transaction that moved the hero."""

    __tablename__ = "transfer_log"
    __table_args__ = _TABLE_OPTIONS

    id: int | None = Field(default=None, primary_key=True)
    hero_id: int = Field(foreign_key="hero.id", index=True)
    from_team_id: int = Field(foreign_key="team.id")
    to_team_id: int = Field(foreign_key="team.id")
    at: datetime = Field(default_factory=lambda: datetime.now(UTC), sa_type=_Instant)
