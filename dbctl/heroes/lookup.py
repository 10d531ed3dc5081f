"""Finding the one row that somebody means by an id or a name."""

from collections.abc import Sequence
from typing import TypeVar

from sqlmodel import Session, col, select

from dbctl.errors import Ambiguous, NotFound
from dbctl.heroes.models import Hero, Team, TransferLog

Named = TypeVar("Named", Hero, Team)
IdOrName = int | str
"""What a row is meant by: a number is an id and nothing else, a text of digits alone is an id before it is a name."""

LARGEST_ID = 2**31 - 1
"""What an INTEGER primary key holds; a longer number can only be a name."""


def find(session: Session, kind: type[Named], wanted: IdOrName) -> Named:
    """Return the row whose id or name this is.

    Raises:
        NotFound: There is none.
        Ambiguous: Several rows have this name; the message lists them.
    """
    is_number = isinstance(wanted, int) or (wanted.isascii() and wanted.isdigit())
    by_id = session.get(kind, int(wanted)) if is_number and int(wanted) <= LARGEST_ID else None
    if by_id is not None:
        return by_id
    by_name = select(kind).where(col(kind.name) == wanted).order_by(col(kind.id))
    rows = session.exec(by_name).all() if isinstance(wanted, str) else []
    word = kind.__name__.lower()
    if not rows:
        raise NotFound(
            f'there is no {word} "{wanted}"', f"dbctl {'heroes' if kind is Hero else 'teams'} list shows all"
        )
    if len(rows) > 1:
        raise Ambiguous(f'"{wanted}" is the name of {len(rows)} {word}es: {_candidates(rows)}', "give the id")
    return rows[0]


def id_of(row: Hero | Team | TransferLog) -> int:
    """Return the id of a row that has been read from or written to the database."""
    assert row.id is not None, "the row has not been flushed"
    return row.id


def _candidates(rows: Sequence[Hero] | Sequence[Team]) -> str:
    shown = [
        f"id {row.id}" + (f" in team {row.team_id}" if isinstance(row, Hero) and row.team_id else "") for row in rows
    ]
    return ", ".join(shown[:10]) + (", …" if len(shown) > 10 else "")
