"""Finding the one row that somebody means by an id or a name."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from sqlalchemy.exc import InvalidRequestError
from sqlmodel import Session, SQLModel, col, select

from dbctl.errors import Ambiguous, NotFound
from dbctl.sample.models import Hero, Team, TransferLog

Named = TypeVar("Named", Hero, Team)
_WORDS: Mapping[type[SQLModel], tuple[str, str]] = {Hero: ("hero", "heroes"), Team: ("team", "teams")}

IdOrName = int | str
"""What a row is meant by: a number is an id and nothing else, a text of digits may be either."""

LARGEST_ID = 2**31 - 1
"""What an INTEGER primary key holds; a longer number can only be a name."""


def find(session: Session, kind: type[Named], wanted: IdOrName) -> Named:
    """Return the row whose id or name this is.

    Raises:
        NotFound: There is none.
        Ambiguous: Several rows have this name, or it is another's id; the message lists them.
    """
    by_id = session.get(kind, int(wanted)) if _may_be_id(wanted) else None
    rows = named(session, kind, wanted) if isinstance(wanted, str) else []
    word, group = _WORDS[kind]
    if by_id is not None:
        if others := [row for row in rows if row is not by_id]:
            raise Ambiguous(
                f'"{wanted}" is the id of {word} {by_id.id} "{by_id.name}", and the name of {_listed(word, others)}',
                f'give the name "{by_id.name}", or the id {others[0].id}',
            )
        return by_id
    if not rows:
        raise NotFound(f'there is no {word} "{wanted}"', f"dbctl {group} list shows all")
    if len(rows) > 1:
        raise Ambiguous(f'"{wanted}" is the name of {len(rows)} {group}: {_candidates(rows)}', "give the id")
    return rows[0]


def named(session: Session, kind: type[Named], name: str) -> Sequence[Named]:
    """Return the rows of this name, to the letter, by id; MariaDB takes "name " for "name"."""
    query = select(kind).where(col(kind.name) == name).order_by(col(kind.id))
    return [row for row in session.exec(query) if row.name == name]


def locked(session: Session, kind: type[Named], wanted: IdOrName) -> Named:
    """Return the row as nobody else can change it until this transaction ends: what is decided by it stays true.

    Raises:
        NotFound: There is none, or it was removed meanwhile.
        Ambiguous: Several rows have this name.
    """
    row = find(session, kind, wanted)
    try:
        session.refresh(row, with_for_update=True)
    except InvalidRequestError as error:
        raise NotFound(f'there is no {_WORDS[kind][0]} "{wanted}" any more') from error
    return row


def _may_be_id(wanted: IdOrName) -> bool:
    if isinstance(wanted, int):
        return wanted <= LARGEST_ID
    return wanted.isascii() and wanted.isdigit() and len(wanted) <= 10 and int(wanted) <= LARGEST_ID


def id_of(row: Hero | Team | TransferLog) -> int:
    """Return the id of a row that has been read from or written to the database."""
    assert row.id is not None, "the row has not been flushed"
    return row.id


def _listed(word: str, rows: Sequence[Hero] | Sequence[Team]) -> str:
    return f"{word} {rows[0].id}" if len(rows) == 1 else f"several: {_candidates(rows)}"


def _candidates(rows: Sequence[Hero] | Sequence[Team]) -> str:
    shown = [
        f"id {row.id}" + (f" in team {row.team_id}" if isinstance(row, Hero) and row.team_id else "") for row in rows
    ]
    return ", ".join(shown[:10]) + (", …" if len(shown) > 10 else "")
