"""Many transfers of a file at once: by the set, all or none, each hero's log one unbroken chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, MetaData, String, Table, case, func, insert, literal, or_, select, update
from sqlmodel import col

from dbctl.backends.bulk import Rows, Target
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.bulk import sources
from dbctl.bulk.advice import PART_BY_COMMAS, other_delimiter, told_header, without_options
from dbctl.bulk.bad_rows import Bad
from dbctl.bulk.columns import Layout
from dbctl.bulk.importing import known_form, parts
from dbctl.bulk.loading import Loader
from dbctl.bulk.rejects import Rejects
from dbctl.bulk.terms import How
from dbctl.errors import Ambiguous, NotFound, UsageError, WorkRefused
from dbctl.sample.lookup import LARGEST_ID
from dbctl.sample.models import Hero, Team, TransferLog
from dbctl.sample.rows import Transferred
from dbctl.work.database import Database

if TYPE_CHECKING:
    from dbctl.backends.base import Backend

_COLUMNS = ("hero", "from", "to")
_OPTIONS: Any = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "prefixes": ["TEMPORARY"]}
_metadata = MetaData()
_MOVES, _ENDS = "transfer_moves", "transfer_ends"

# What the file says, and what is meant by it.
_moves = Table(
    _MOVES,
    _metadata,
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("hero", String(200)),
    Column("source", String(200)),
    Column("target", String(200)),
    Column("hero_number", Integer),
    Column("source_number", Integer),
    Column("target_number", Integer),
    Column("hero_id", Integer, index=True),
    Column("from_id", Integer),
    Column("to_id", Integer),
    **_OPTIONS,
)
# Where each hero begins and ends.
_ends = Table(
    _ENDS,
    _metadata,
    Column("hero_id", Integer, primary_key=True, autoincrement=False),
    Column("from_id", Integer),
    Column("to_id", Integer),
    **_OPTIONS,
)
_LOADED = [
    BulkColumn("line", Kind.INTEGER, "integer"),
    BulkColumn("hero", Kind.TEXT, "varchar(200)"),
    BulkColumn("source", Kind.TEXT, "varchar(200)"),
    BulkColumn("target", Kind.TEXT, "varchar(200)"),
    *(BulkColumn(f"{name}_number", Kind.INTEGER, "integer") for name in ("hero", "source", "target")),
]


def transfer_all(database: Database, file: str) -> Transferred:
    """Move heroes as a file says, in the order of its lines, and log each move; all of them or none.

    A hero may be moved several times, from where the line before has led.

    Args:
        database: Where.
        file: A file with the columns hero, and from and to, the teams, each an id or a name; or - for standard input.

    Raises:
        NotFound: There is no such hero or team.
        Ambiguous: Several heroes have this name, or it is another's id.
        WorkRefused: A hero is not in the team to leave, or both teams are the same. The message has the line.
    """
    connection = database.session.connection()
    with _temporary(connection, database.backend), database.backend.bulk.takes_rows(connection, strict=True):
        with without_options():
            count = _load(database, connection, file)
        _resolve(connection, file)
        connection.execute(_begins_and_ends())
        moved = _move(connection)
        if moved != connection.scalar(select(func.count()).select_from(_ends)):
            raise WorkRefused(f"{file}: heroes were moved by somebody else meanwhile", "run it again")
        log: Any = TransferLog
        at = literal(datetime.now(UTC), log.__table__.c.at.type)
        rows = select(_moves.c.hero_id, _moves.c.from_id, _moves.c.to_id, at).order_by(_moves.c.line)
        connection.execute(insert(log).from_select(["hero_id", "from_team_id", "to_team_id", "at"], rows))
    database.session.expire_all()
    return Transferred(count, moved)


@contextmanager
def _temporary(connection: Any, backend: Backend) -> Iterator[None]:
    """Have the two tables, which only this session sees, for the block; an error takes them away with all else.

    MySQL's and MariaDB's outlive a ROLLBACK: those of a run that failed are in the way of the next one.
    """
    names = [table.name for table in _metadata.tables.values()]
    drop = "DROP TABLE" if backend.catalog.scratch_nested else "DROP TEMPORARY TABLE"
    for name in () if backend.catalog.scratch_nested else names:
        connection.exec_driver_sql(f"{drop} IF EXISTS {name}")
    _metadata.create_all(connection, checkfirst=False)
    yield
    for name in names:
        connection.exec_driver_sql(f"{drop} {name}")


def _load(database: Database, connection: Any, file: str) -> int:
    target = Target(None, _moves.name, ())
    layout = Layout(_LOADED, list(range(len(_LOADED))), {})
    with Rejects(None, 0, masked=database.profile.protected) as rejects, sources.opened(file) as source:
        loader = Loader(connection, database.backend.bulk, target, bad=rejects.take, goes_on=False)
        for part in parts(source, known_form(file, How()).format, How()):
            rows, ragged = (part, ()) if isinstance(part, Rows) else part.rows()
            loader.load(_as_moves(rows, rejects, masked=database.profile.protected), layout, ragged)
    return loader.written


def _as_moves(rows: Rows, rejects: Rejects, *, masked: bool) -> Rows:
    if sorted(rows.names) != sorted(_COLUMNS):
        if other_delimiter(rows.names, _COLUMNS):
            raise UsageError(f"{rows.file}: {told_header(rows.names, masked=masked)}", PART_BY_COMMAS)
        there = "others" if masked else ", ".join(rows.names)
        raise UsageError(f"{rows.file}: its columns are {there}", f"let them be {','.join(_COLUMNS)}")
    said = [rows.columns[list(rows.names).index(name)] for name in _COLUMNS]
    for name, column in zip(_COLUMNS, said, strict=True):
        if None in column:
            index = list(column).index(None)
            rejects.take(Bad(rows.file, rows.lines[index], name, None, "there is none"))
    columns = [list(map(str, rows.lines)), *said, *(list(map(_number, column)) for column in said)]
    return replace(rows, names=[one.name for one in _LOADED], columns=columns)


def _number(text: str) -> str | None:
    is_id = text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= LARGEST_ID
    return str(int(text)) if is_id else None


def _resolve(connection: Any, file: str) -> None:
    """Find which heroes and teams are meant, and whether each move can be made.

    Raises:
        WorkRefused: One can't be; the message has the first one's line.
    """
    hero, team = Hero, Team
    move = _moves.c
    meant = ((hero, move.hero, move.hero_number, move.hero_id), (team, move.source, move.source_number, move.from_id),
             (team, move.target, move.target_number, move.to_id))  # fmt: skip
    ids = {id_.name: _meant(kind, said, number) for kind, said, number, id_ in meant}
    connection.execute(update(_moves).values(ids))
    for kind, said, _, id_ in meant:
        what = kind.__name__.lower()
        if found := _first(connection, select(move.line, said).where(id_.is_(None))):
            raise NotFound(f'{file}, line {found[0]}: there is no {what} "{found[1]}"')
        others = select(func.count()).where(col(kind.name) == said, col(kind.id) != id_).scalar_subquery()
        if found := _first(connection, select(move.line, said).where(others > 0)):
            several = "the name of several heroes" if kind is hero else "the id of one team, and the name of another"
            raise Ambiguous(f'{file}, line {found[0]}: "{found[1]}" is {several}', "give the id")
    if found := _first(connection, select(move.line, move.source).where(move.from_id == move.to_id)):
        raise WorkRefused(f'{file}, line {found[0]}: team "{found[1]}" is both the source and the target')
    before = func.lag(move.to_id).over(partition_by=move.hero_id, order_by=move.line)
    chain: Any = select(
        move.line, move.hero, move.source, move.hero_id, move.from_id, before.label("before")
    ).subquery()
    there = func.coalesce(chain.c.before, hero.team_id)
    broken = (
        select(chain.c.line, chain.c.hero, chain.c.source)
        .join(hero, col(hero.id) == chain.c.hero_id)
        .where(or_(there.is_(None), there != chain.c.from_id))
    )
    if found := _first(connection, broken):
        raise WorkRefused(f'{file}, line {found[0]}: hero "{found[1]}" is not in team "{found[2]}" then')


def _meant(kind: type[Hero] | type[Team], said: Any, number: Any) -> Any:
    """Return the id of what is meant: by an id, else by a name."""
    by_number = select(col(kind.id)).where(col(kind.id) == number).scalar_subquery()
    by_name = select(func.min(kind.id)).where(col(kind.name) == said).scalar_subquery()
    return func.coalesce(by_number, by_name)


def _first(connection: Any, query: Any) -> Sequence[Any] | None:
    """Return the row of the first line that a query has."""
    found: Sequence[Any] | None = connection.execute(query.order_by(query.selected_columns[0]).limit(1)).first()
    return found


def _begins_and_ends() -> Any:
    move = _moves.c
    numbered = select(
        move.hero_id,
        move.from_id,
        move.to_id,
        func.row_number().over(partition_by=move.hero_id, order_by=move.line).label("place"),
        func.count().over(partition_by=move.hero_id).label("places"),
    ).subquery()
    first = func.max(case((numbered.c.place == 1, numbered.c.from_id)))
    last = func.max(case((numbered.c.place == numbered.c.places, numbered.c.to_id)))
    rows = select(numbered.c.hero_id, first, last).group_by(numbered.c.hero_id)
    return insert(_ends).from_select(["hero_id", "from_id", "to_id"], rows)


def _move(connection: Any) -> int:
    """Move those heroes that still are where the first line has them; return how many these are."""
    hero: Any = Hero.__dict__["__table__"]
    moving = (
        update(hero)
        .where(hero.c.id == _ends.c.hero_id, hero.c.team_id == _ends.c.from_id)
        .values(team_id=_ends.c.to_id)
    )
    return int(connection.execute(moving).rowcount)
