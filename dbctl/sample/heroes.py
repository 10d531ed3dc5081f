"""The functions on heroes."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, delete, select

from dbctl.errors import WorkRefused
from dbctl.results import Rows
from dbctl.sample.limits import check_limits
from dbctl.sample.lookup import IdOrName, find, id_of, locked
from dbctl.sample.models import Hero, Team, TransferLog
from dbctl.sample.rows import HeroDetail, HeroRow
from dbctl.sample.teams import find_team
from dbctl.work.streaming import stream


def add_hero(
    session: Session, name: str, secret_name: str, age: int | None = None, team: IdOrName | None = None
) -> HeroRow:
    """Add a hero.

    Args:
        session: The session.
        name: The hero's name; several heroes may have the same.
        secret_name: The name behind the mask.
        age: In years.
        team: The id or the name of the hero's team.

    Raises:
        NotFound: There is no such team.
        Conflict: A name is empty, a text too long, or the age out of range.
    """
    team_id = find_team(session, team).id if team is not None else None
    hero = Hero(name=name, secret_name=secret_name, age=age, team_id=team_id)
    check_limits(hero)
    session.add(hero)
    return hero_row(session, hero)


def find_hero(session: Session, wanted: IdOrName) -> Hero:
    """Return the hero whose id or name this is.

    Raises:
        NotFound: There is none.
        Ambiguous: Several heroes have this name.
    """
    return find(session, Hero, wanted)


def hero_by_id(session: Session, hero_id: int) -> Hero | None:
    """Return a hero, or None where there is no such id."""
    return session.get(Hero, hero_id)


def heroes_by_team(session: Session, team_id: int) -> Sequence[Hero]:
    """Return the heroes of a team, by id."""
    return session.exec(select(Hero).where(Hero.team_id == team_id).order_by(col(Hero.id))).all()


def list_heroes(
    session: Session, team: IdOrName | None = None, limit: int | None = None, after: int | None = None
) -> Sequence[HeroRow]:
    """Return heroes, by id.

    Args:
        session: The session.
        team: Only those in the team of this id or name.
        limit: At most so many rows.
        after: Only those with a greater id: the last id of one page begins the next.

    Raises:
        NotFound: There is no such team.
    """
    return [HeroRow(*row) for row in session.exec(_query(session, team, limit, after))]


def stream_heroes(
    session: Session, team: IdOrName | None = None, limit: int | None = None, after: int | None = None
) -> Rows[HeroRow]:
    """Return what `list_heroes` does, as it is fetched: as many as there are, in constant memory."""
    return Rows.of(HeroRow, stream(session, _query(session, team, limit, after)))


def _query(session: Session, team: IdOrName | None, limit: int | None, after: int | None) -> Any:
    columns: Any = (Hero.id, Hero.name, Hero.age, Hero.team_id, Team.name)
    query: Any = select(*columns).join(Team, isouter=True).order_by(col(Hero.id))
    if team is not None:
        query = query.where(Hero.team_id == find_team(session, team).id)
    if after is not None:
        query = query.where(col(Hero.id) > after)
    return query if limit is None else query.limit(limit)


def show_hero(session: Session, wanted: IdOrName) -> HeroDetail:
    """Return all that is known of the hero whose id or name this is."""
    hero = find_hero(session, wanted)
    row = hero_row(session, hero)
    return HeroDetail(row.id, row.name, row.age, row.team_id, row.team, hero.secret_name)


def update_hero(
    session: Session,
    wanted: IdOrName,
    *,
    name: str | None = None,
    secret_name: str | None = None,
    age: int | None = None,
    team: IdOrName | None = None,
) -> HeroRow:
    """Change what is given of a hero, and leave the rest: `change_hero` for who has no empty values to set."""
    given = {"name": name, "secret_name": secret_name, "age": age}
    return change_hero(session, wanted, team, {key: value for key, value in given.items() if value is not None})


def change_hero(session: Session, wanted: IdOrName, team: IdOrName | None, changes: dict[str, Any]) -> HeroRow:
    """Set fields of a hero, and leave the rest.

    A hero without a team can be given one; from team to team a hero goes by `transfer`, which logs it.

    Args:
        session: The session.
        wanted: The hero's id or name.
        team: The id or name of the team that the hero joins.
        changes: The new `name`, `secret_name` and `age`, those that change; an age of None is none.

    Raises:
        NotFound: There is no such hero or team.
        WorkRefused: The hero is in a team already.
        Conflict: A name is empty, a text too long, or the age out of range.
    """
    hero = locked(session, Hero, wanted)
    if team is not None:
        if hero.team_id is not None:
            raise WorkRefused(
                f'hero {hero.id} "{hero.name}" is in a team already', "move the hero with: dbctl transfer"
            )
        hero.team_id = find_team(session, team).id
    hero.sqlmodel_update(changes)
    check_limits(hero)
    return hero_row(session, hero)


def remove_hero(session: Session, wanted: IdOrName) -> HeroRow:
    """Remove a hero, and the log of the hero's transfers."""
    hero = locked(session, Hero, wanted)
    row = hero_row(session, hero)
    session.exec(delete(TransferLog).where(col(TransferLog.hero_id) == hero.id))
    session.delete(hero)
    session.flush()
    return row


def hero_row(session: Session, hero: Hero) -> HeroRow:
    """Write a hero to the database, and return the row as the database has it."""
    session.flush()
    session.refresh(hero)
    team = session.get(Team, hero.team_id) if hero.team_id is not None else None
    return HeroRow(id_of(hero), hero.name, hero.age, hero.team_id, team.name if team else None)
