"""The models."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime
from sqlmodel import Field, Relationship, SQLModel

_UTC: Any = DateTime(timezone=True)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Reader(SQLModel, table=True):
    """Who borrows books."""

    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    email: str = Field(unique=True, index=True, max_length=255)
    full_name: str | None = Field(default=None, max_length=255)
    may_lend: bool = False
    joined: datetime | None = Field(default_factory=now, sa_type=_UTC)
    loans: list["Loan"] = Relationship(back_populates="reader", cascade_delete=True)


class Loan(SQLModel, table=True):
    """A book that somebody has borrowed."""

    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    title: str = Field(max_length=255)
    reader_id: uuid.UUID = Field(foreign_key="reader.id", nullable=False, ondelete="CASCADE")
    reader: Reader | None = Relationship(back_populates="loans")
