"""Moving a hero from team to team, and the log of it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select, update

from dbctl.errors import WorkRefused
from dbctl.results import Rows
from dbctl.sample.heroes import find_hero
from dbctl.sample.lookup import IdOrName, id_of
from dbctl.sample.models import Hero, Team, TransferLog
from dbctl.sample.rows import TransferRow
from dbctl.sample.teams import find_team
from dbctl.work.streaming import stream


def transfer(session: Session, hero: IdOrName, from_team: IdOrName, to_team: IdOrName) -> TransferRow:
    """Move a hero from one team to another, and log it in the same transaction.

    The write itself is guarded: it moves the hero only where the hero still is in the source team. To read the team
    first and write then would let two transfers at once both succeed.

    Args:
        session: The session.
        hero: The hero's id or name.
        from_team: The id or name of the team that the hero leaves.
        to_team: The id or name of the team that the hero joins.

    Raises:
        NotFound: There is no such hero or team.
        Ambiguous: Several heroes have this name.
        WorkRefused: The hero is not in the source team, or both teams are the same.
    """
    source, target = find_team(session, from_team), find_team(session, to_team)
    moved = find_hero(session, hero)
    if source.id == target.id:
        raise WorkRefused(f'team {source.id} "{source.name}" is both the source and the target')
    guarded: Any = (
        update(Hero)
        .where(col(Hero.id) == moved.id, col(Hero.team_id) == source.id)
        .values(team_id=target.id)
        .execution_options(synchronize_session=False)
    )
    if session.exec(guarded).rowcount != 1:
        raise WorkRefused(f'hero {moved.id} "{moved.name}" is not in team {source.id} "{source.name}"')
    session.expire(moved)
    log = TransferLog(hero_id=id_of(moved), from_team_id=id_of(source), to_team_id=id_of(target))
    session.add(log)
    session.flush()
    session.refresh(log)
    ids = {"id": id_of(log), "hero_id": log.hero_id, "from_team_id": id_of(source), "to_team_id": id_of(target)}
    return TransferRow(**ids, hero=moved.name, from_team=source.name, to_team=target.name, at=log.at)


def list_transfers(
    session: Session, hero: IdOrName | None = None, limit: int | None = None, after: int | None = None
) -> Sequence[TransferRow]:
    """Return transfers in the order in which they were logged.

    Args:
        session: The session.
        hero: Only those of the hero with this id or name.
        limit: At most so many rows.
        after: Only those with a greater id.
    """
    return [TransferRow(*row) for row in session.exec(_query(session, hero, limit, after))]


def stream_transfers(
    session: Session, hero: IdOrName | None = None, limit: int | None = None, after: int | None = None
) -> Rows[TransferRow]:
    """Return what `list_transfers` does, as it is fetched."""
    return Rows.of(TransferRow, stream(session, _query(session, hero, limit, after)))


def _query(session: Session, hero: IdOrName | None, limit: int | None, after: int | None) -> Any:
    source, target = aliased(Team), aliased(Team)
    log: Any = TransferLog
    teams = (log.from_team_id, source.name, log.to_team_id, target.name)
    columns: Any = (log.id, log.hero_id, Hero.name, *teams, log.at)
    query: Any = (
        select(*columns)
        .join(Hero, col(Hero.id) == log.hero_id)
        .join(source, col(source.id) == log.from_team_id)
        .join(target, col(target.id) == log.to_team_id)
        .order_by(log.id)
    )
    if hero is not None:
        query = query.where(log.hero_id == find_hero(session, hero).id)
    if after is not None:
        query = query.where(log.id > after)
    return query if limit is None else query.limit(limit)
