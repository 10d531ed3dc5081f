"""The models of a service whose keys are UUIDs."""

from uuid import UUID, uuid4

from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel


class Base(SQLModel):
    """What the tables have in common."""

    metadata = MetaData()


class Node(Base, table=True):
    """A part of a tree."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    parent_id: UUID | None = Field(default=None, foreign_key="node.id")
    token: str = Field(max_length=32)
