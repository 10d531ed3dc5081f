"""The models."""

from sqlmodel import Field, SQLModel


class Ship(SQLModel, table=True):
    """A ship."""

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=40)
    tons: int = 0
