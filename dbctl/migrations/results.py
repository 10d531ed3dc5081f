"""What commands on migrations show. Nothing here loads alembic."""

from __future__ import annotations

from dbctl.records import record
from dbctl.results import PlainText


@record
class Applied:
    """A revision that was run, and for how many seconds."""

    revision: str
    description: str
    seconds: float


@record
class Revision:
    """A revision that a database is at.

    Attributes:
        revision: Its id; None where none is applied.
        description: What its script says of it.
        state: `head`, `behind` or `no script`; or what has been done in part, and where that is kept; or that another
            run is at it.
    """

    revision: str | None
    description: str
    state: str


@record
class Pending:
    """What a database lacks: a revision, or what autogenerate would add to one."""

    pending: str
    description: str


@record
class Sql(PlainText):
    """SQL that would be run, with all that ends its statements."""

    sql: str

    def __str__(self) -> str:
        return f"{self.sql.strip()}\n"


@record
class Output(PlainText):
    """What alembic has written."""

    text: str

    def __str__(self) -> str:
        return self.text.rstrip("\n")
